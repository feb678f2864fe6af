{{/*
The configuration of the daemon, from `config`: what is not secret goes to a ConfigMap, what is goes to a Secret, and
the ConfigMap says where it lies. Templates hand each other JSON.
*/}}

{{/* A scalar as text; numbers without an exponent. */}}
{{- define "tiercel.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/*
One value and all below it: dict "value" "path" (below config, lower case) "file" (the key in the Secret) "secret" "facts".
Gives {"value": ...} without what is empty, and {"secrets": {file: text}}. A secret with a reference to another place stays in
the file, for only there the daemon follows it.
*/}}
{{- define "tiercel.walk" -}}
{{- $facts := .facts -}}
{{- $secret := or .secret (has .path $facts.secrets) -}}
{{- $result := dict "secrets" dict -}}
{{- if kindIs "map" .value -}}
{{- $map := dict -}}
{{- $context := . -}}
{{- range $key, $value := .value -}}
{{- $name := ternary $key (lower $key) (regexMatch "\\.match($|\\.)" $context.path) -}}
{{- $path := ternary $name (printf "%s.%s" $context.path $name) (eq $context.path "") -}}
{{- $file := ternary $name (printf "%s.%s" $context.file $name) (eq $context.file "") -}}
{{- if not (has $path $facts.chartonly) -}}
{{- $alias := get $facts.aliases $path -}}
{{- if $alias -}}
{{- $name = last (splitList "." $alias) -}}
{{- $path = $alias -}}
{{- end -}}
{{- $inner := include "tiercel.walk" (dict "value" $value "path" $path "file" $file "secret" $secret "facts" $facts) | fromJson -}}
{{- if hasKey $inner "value" -}}
{{- $_ := set $map $name $inner.value -}}
{{- end -}}
{{- $_ := set $result "secrets" (merge $result.secrets $inner.secrets) -}}
{{- end -}}
{{- end -}}
{{- if $map -}}
{{- $_ := set $result "value" $map -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- $list := list -}}
{{- $context := . -}}
{{- range $at, $item := .value -}}
{{- $name := toString $at -}}
{{- if kindIs "map" $item -}}
{{- $name = default (default $name $item.name) $item.instance -}}
{{- end -}}
{{- $inner := include "tiercel.walk" (dict "value" $item "path" $context.path "file" (printf "%s.%s" $context.file $name) "secret" $secret "facts" $facts) | fromJson -}}
{{- if hasKey $inner "value" -}}
{{- $list = append $list $inner.value -}}
{{- end -}}
{{- $_ := set $result "secrets" (merge $result.secrets $inner.secrets) -}}
{{- end -}}
{{- if $list -}}
{{- $_ := set $result "value" $list -}}
{{- end -}}
{{- else if kindIs "invalid" .value -}}
{{- else -}}
{{- $text := include "tiercel.text" .value -}}
{{- $nothing := or (eq $text "") (eq $text (default "" (get $facts.empty .path))) -}}
{{- if and (not $nothing) $secret (not (regexMatch "\\$\\{(env|file):[^}]*\\}" $text)) -}}
{{- $file := regexReplaceAll "[^-._a-zA-Z0-9]" .file "-" -}}
{{- $_ := set $result "value" (printf "${file:secrets/%s}" $file) -}}
{{- $_ := set $result "secrets" (dict $file $text) -}}
{{- else if not $nothing -}}
{{- $_ := set $result "value" .value -}}
{{- end -}}
{{- end -}}
{{- toJson $result -}}
{{- end -}}

{{/* What is known of the outputs, and of the values of the falcosidekick chart. */}}
{{- define "tiercel.facts" -}}
{{- $outputs := .Files.Get "files/outputs.json" | fromJson -}}
{{- $chart := .Files.Get "files/falcosidekick-chart.yaml" | fromYaml -}}
{{- merge $outputs $chart | toJson -}}
{{- end -}}

{{/*
Everything that follows from `config`: {"value": the file, "secrets": {name: text}, "env": [entries], "byEnvironment": flag}.
*/}}
{{- define "tiercel.config" -}}
{{- $root := . -}}
{{- $facts := include "tiercel.facts" . | fromJson -}}
{{- $given := deepCopy .Values.config -}}
{{- $env := list -}}

{{- /* In the environment these two texts are read in a way of their own. */ -}}
{{- range $key := list "customfields" "customtags" -}}
{{- $value := get $given $key -}}
{{- if kindIs "string" $value -}}
{{- $_ := unset $given $key -}}
{{- if $value -}}
{{- $env = append $env (dict "name" (upper $key) "value" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A list there holds variables for the container. */ -}}
{{- range $signal := list "traces" "metrics" "logs" -}}
{{- $keys := dig "otlp" $signal dict $given -}}
{{- if kindIs "slice" (get $keys "extraenvvars") -}}
{{- range $keys.extraenvvars }}{{ $env = append $env . }}{{ end -}}
{{- $_ := unset $keys "extraenvvars" -}}
{{- end -}}
{{- end -}}

{{- /* With IRSA the account of the pod has the role. */ -}}
{{- $aws := default dict $given.aws -}}
{{- if and $aws.rolearn (ne (toString $aws.useirsa) "false") -}}
{{- $_ := unset $aws "rolearn" -}}
{{- $_ := unset $aws "externalid" -}}
{{- end -}}

{{- $tlsserver := default dict $given.tlsserver -}}
{{- if .Values.tls.secretName -}}
{{- $_ := set $given "tlsserver" (mergeOverwrite (dict) $tlsserver (dict "deploy" true "mutualtls" (or .Values.tls.mutual $tlsserver.mutualtls))) -}}
{{- end -}}
{{- if .Values.clientTls.secretName -}}
{{- $_ := set $given "mutualtlsfilespath" "/etc/certs/client" -}}
{{- end -}}
{{- if or .Values.trustedCa.configMapName .Values.trustedCa.secretName -}}
{{- $_ := set $given "tlsclient" (dict "cacertfile" (printf "/etc/certs/trusted/%s" .Values.trustedCa.key)) -}}
{{- end -}}

{{- $result := include "tiercel.walk" (dict "value" $given "path" "" "file" "" "secret" false "facts" $facts) | fromJson -}}
{{- $config := default dict $result.value -}}

{{- /* A section may also be filled from a Secret or the environment, which cannot be seen from here. */ -}}
{{- $unseen := or .Values.config.existingSecret .Values.extraEnvFrom -}}
{{- range $path, $value := merge (dict) $facts.defaults $facts.sectiondefaults -}}
{{- $parts := splitList "." $path -}}
{{- $prefix := printf "%s_" (first $parts) | upper -}}
{{- $there := or (and $unseen (hasKey $facts.defaults $path)) (hasKey $config (first $parts)) -}}
{{- range concat (default list $root.Values.config.extraEnv) (default list $env) -}}
{{- if hasPrefix $prefix .name }}{{ $there = true }}{{ end -}}
{{- end -}}
{{- range $key, $_ := $root.Values.secrets -}}
{{- if hasPrefix $prefix (include "tiercel.variable" $key) }}{{ $there = true }}{{ end -}}
{{- end -}}
{{- if $there -}}
{{- $at := $config -}}
{{- range initial $parts -}}
{{- if and (kindIs "map" $at) (not (hasKey $at .)) }}{{ $_ := set $at . dict }}{{ end -}}
{{- if kindIs "map" $at }}{{ $at = get $at . }}{{ end -}}
{{- end -}}
{{- if kindIs "map" $at -}}
{{- if not (hasKey $at (last $parts)) }}{{ $_ := set $at (last $parts) $value }}{{ end -}}
{{- else if kindIs "slice" $at -}}
{{- range $at }}{{ if not (hasKey . (last $parts)) }}{{ $_ := set . (last $parts) $value }}{{ end }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $arguments := default list .Values.config.extraArgs -}}
{{- $own := false -}}
{{- range $arguments }}{{ if regexMatch "^(-c|--config-file)($|=)" (toString .) }}{{ $own = true }}{{ end }}{{ end -}}
{{- dict "value" $config "secrets" $result.secrets "env" (default list $env) "byEnvironment" $own | toJson -}}
{{- end -}}

{{/* slack.webhookurl → SLACK_WEBHOOKURL */}}
{{- define "tiercel.variable" -}}
{{- regexReplaceAll "[^A-Z0-9]" (upper .) "_" -}}
{{- end -}}

{{/* The file as variables, {NAME: text}, for where another file is in use: dict "value" "path". */}}
{{- define "tiercel.variables" -}}
{{- $result := dict -}}
{{- $path := .path -}}
{{- if and (kindIs "map" .value) (not (has $path .facts.pairs)) -}}
{{- range $key, $value := .value -}}
{{- $inner := ternary $key (printf "%s.%s" $path $key) (eq $path "") -}}
{{- $result = merge $result (include "tiercel.variables" (dict "value" $value "path" $inner "facts" $.facts) | fromJson) -}}
{{- end -}}
{{- else -}}
{{- $text := "" -}}
{{- if kindIs "map" .value -}}
{{- $pairs := list -}}
{{- range $key, $value := .value }}{{ $pairs = append $pairs (printf "%s:%s" $key (include "tiercel.text" $value | quote)) }}{{ end -}}
{{- $text = join "," $pairs -}}
{{- else if hasSuffix ".match" $path -}}
{{- $text = toJson .value -}}
{{- else if kindIs "slice" .value -}}
{{- $items := list -}}
{{- range .value -}}
{{- if kindIs "map" . -}}
{{- fail (printf "config.%s: several instances cannot be told by variables; config.extraArgs names a file of its own (-c): put them there" $path) -}}
{{- end -}}
{{- $items = append $items (include "tiercel.text" .) -}}
{{- end -}}
{{- $text = join "," $items -}}
{{- else -}}
{{- $text = include "tiercel.text" .value -}}
{{- end -}}
{{- $_ := set $result (include "tiercel.variable" $path) $text -}}
{{- end -}}
{{- toJson $result -}}
{{- end -}}

{{/* The pod reads the configuration as these variables: {"plain": {NAME: text}, "secret": {NAME: text}}. */}}
{{- define "tiercel.environment" -}}
{{- $facts := include "tiercel.facts" .root | fromJson -}}
{{- $plain := dict -}}
{{- $secret := dict -}}
{{- range $name, $text := include "tiercel.variables" (dict "value" .config.value "path" "" "facts" $facts) | fromJson -}}
{{- $open := $text -}}
{{- range $file, $value := $.config.secrets -}}
{{- $open = replace (printf "${file:secrets/%s}" $file) $value $open -}}
{{- end -}}
{{- if eq $open $text -}}
{{- $_ := set $plain $name $text -}}
{{- else -}}
{{- $_ := set $secret $name $open -}}
{{- end -}}
{{- end -}}
{{- dict "plain" $plain "secret" $secret | toJson -}}
{{- end -}}
