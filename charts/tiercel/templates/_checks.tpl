{{/* Stops with a sentence where the values contradict each other. */}}
{{- define "tiercel.checks" -}}
{{- $config := include "tiercel.config" . | fromJson -}}
{{- $driver := include "tiercel.driver" . -}}

{{- if and .Values.autoscaling.enabled (ne $driver "jetstream") -}}
{{- fail (printf "autoscaling.enabled needs config.spool.driver: jetstream; with %s, a pod that is scaled away takes the alerts that it has not delivered with it" $driver) -}}
{{- end -}}

{{- if and .Values.persistence.existingClaim (gt (int .Values.replicaCount) 1) -}}
{{- fail "persistence.existingClaim is one volume, and one process at a time can have it: set replicaCount: 1" -}}
{{- end -}}

{{- $tls := default dict .Values.config.tlsserver -}}
{{- if ne (empty $tls.servercrt) (empty $tls.serverkey) -}}
{{- fail "config.tlsserver.servercrt and config.tlsserver.serverkey only work together" -}}
{{- end -}}
{{- if gt (len (compact (list .Values.tls.secretName $tls.existingSecret $tls.servercrt))) 1 -}}
{{- fail "the certificate of the server is given more than once: leave one of tls.secretName, config.tlsserver.existingSecret and config.tlsserver.servercrt" -}}
{{- end -}}

{{- $facts := include "tiercel.facts" . | fromJson -}}
{{- $walked := include "tiercel.walk" (dict "value" .Values.config "path" "" "file" "" "secret" false "facts" $facts) | fromJson -}}
{{- $byValues := keys (include "tiercel.instanceVariables" (dict "value" (default dict $walked.value) "path" "") | fromJson) -}}
{{- range $path, $reference := .Values.secrets -}}
{{- if has (include "tiercel.variable" $path) $byValues -}}
{{- fail (printf "config.%s is set, and so is secrets.%s: leave one of them" $path (quote $path)) -}}
{{- end -}}
{{- if not (and (kindIs "map" $reference) $reference.name $reference.key) -}}
{{- fail (printf "secrets.%s needs the name of a Secret and a key: {name: ..., key: ...}" (quote $path)) -}}
{{- end -}}
{{- end -}}

{{- /* Only a living cluster shows what is in the Secret; `helm template` does not see it. */ -}}
{{- with .Values.config.existingSecret -}}
{{- $live := lookup "v1" "Secret" $.Release.Namespace . -}}
{{- $taken := list -}}
{{- range $name, $_ := (default dict $live.data) -}}
{{- if has $name $byValues }}{{ $taken = append $taken $name }}{{ end -}}
{{- end -}}
{{- if $taken -}}
{{- fail (printf "the Secret %s (config.existingSecret) and the values both set %s: leave one of them" . (join ", " (sortAlpha $taken))) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The variables that say the same as the values, {NAME: true}, instances by their names. */}}
{{- define "tiercel.instanceVariables" -}}
{{- $result := dict -}}
{{- $path := .path -}}
{{- if kindIs "map" .value -}}
{{- range $key, $value := .value -}}
{{- $inner := ternary $key (printf "%s.%s" $path $key) (eq $path "") -}}
{{- $result = merge $result (include "tiercel.instanceVariables" (dict "value" $value "path" $inner) | fromJson) -}}
{{- end -}}
{{- else if and (kindIs "slice" .value) (kindIs "map" (first .value)) -}}
{{- range $at, $item := .value -}}
{{- if kindIs "map" $item -}}
{{- $inner := printf "%s.%s" $path (default (default (toString $at) $item.name) $item.instance) -}}
{{- $result = merge $result (include "tiercel.instanceVariables" (dict "value" $item "path" $inner) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $_ := set $result (include "tiercel.variable" $path) true -}}
{{- end -}}
{{- toJson $result -}}
{{- end -}}

{{- define "tiercel.driver" -}}
{{- lower (toString (dig "spool" "driver" "disk" .Values.config)) | default "disk" -}}
{{- end -}}

{{/*
Where pods have volumes of their own, each needs its own name. With the log on NATS the volume holds what comes while
NATS is away.
*/}}
{{- define "tiercel.kind" -}}
{{- if and (ne (include "tiercel.driver" .) "memory") .Values.persistence.enabled -}}StatefulSet{{- else -}}Deployment{{- end -}}
{{- end -}}

{{- define "tiercel.dataPath" -}}
{{- default "/var/lib/tiercel" (dig "spool" "path" "" .Values.config) -}}
{{- end -}}

{{- define "tiercel.port" -}}
{{- default 2801 (dig "listenport" 2801 .Values.config) | int64 -}}
{{- end -}}

{{/* TLS of the server: {"on", "mutual", "plainPort", "plainPaths": [...]}. */}}
{{- define "tiercel.tls" -}}
{{- $config := include "tiercel.config" . | fromJson -}}
{{- $keys := default dict $config.value.tlsserver -}}
{{- $paths := $keys.notlspaths -}}
{{- if kindIs "string" $paths }}{{ $paths = regexSplit "\\s*,\\s*" $paths -1 }}{{ end -}}
{{- dict "on" (eq (toString $keys.deploy) "true") "mutual" (eq (toString $keys.mutualtls) "true") "plainPort" (default 2810 $keys.notlsport | int64) "plainPaths" (default list $paths) | toJson -}}
{{- end -}}

{{/* The output is turned on by the values: dict "config" "keys" (paths that turn it on). */}}
{{- define "tiercel.isOn" -}}
{{- $missing := false -}}
{{- range .keys -}}
{{- $at := $.config -}}
{{- range splitList "." . -}}
{{- if kindIs "slice" $at }}{{ $at = first $at }}{{ end -}}
{{- $at = ternary (get (ternary $at dict (kindIs "map" $at)) .) nil (kindIs "map" $at) -}}
{{- end -}}
{{- if or (not $at) (eq (toString $at) "false") }}{{ $missing = true }}{{ end -}}
{{- end -}}
{{- if not $missing }}true{{ end -}}
{{- end -}}

{{/* What the outputs that are on may do in the cluster: {"rules": [...]}. */}}
{{- define "tiercel.clusterRules" -}}
{{- $config := include "tiercel.config" . | fromJson -}}
{{- $facts := include "tiercel.facts" . | fromJson -}}
{{- $rules := list -}}
{{- range $output, $needs := $facts.clusterRules -}}
{{- $byVariable := false -}}
{{- range $.Values.config.extraEnv }}{{ if has .name $needs.variables }}{{ $byVariable = true }}{{ end }}{{ end -}}
{{- if or $byVariable (eq (include "tiercel.isOn" (dict "config" $config.value "keys" $needs.keys)) "true") -}}
{{- $rules = concat $rules $needs.rules -}}
{{- end -}}
{{- end -}}
{{- dict "rules" (concat (list) $rules (default list .Values.rbac.extraClusterRules)) | toJson -}}
{{- end -}}
