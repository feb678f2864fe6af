{{- define "tiercel.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* <release>-<name>, or the release's name where that says it already. */}}
{{- define "tiercel.fullname" -}}
{{- $name := include "tiercel.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name that the falcosidekick chart would give its Service in this release. */}}
{{- define "tiercel.aliasName" -}}
{{- if .Values.service.alias.name -}}
{{- .Values.service.alias.name -}}
{{- else if contains "falcosidekick" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-falcosidekick" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tiercel.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tiercel.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tiercel.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tiercel.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: core
{{- end -}}

{{- define "tiercel.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "tiercel.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tiercel
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.customLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels, annotations and the like: whoever writes a number or `true` there means the text, and nothing else is taken. */}}
{{- define "tiercel.texts" -}}
{{- $texts := dict -}}
{{- range $name, $value := . -}}
{{- if not (kindIs "invalid" $value) }}{{ $_ := set $texts $name (include "tiercel.text" $value) }}{{ end -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end -}}

{{/* The metadata of an object: dict "root" $ "name" ... "labels" map "annotations" map, "cluster" true for one without a namespace. */}}
{{- define "tiercel.metadata" -}}
{{- $annotations := mergeOverwrite (dict) (default dict .root.Values.customAnnotations) (default dict .annotations) -}}
name: {{ .name }}
{{- if not .cluster }}
namespace: {{ default .root.Release.Namespace .namespace }}
{{- end }}
labels:
{{- $labels := mergeOverwrite (include "tiercel.labels" .root | fromYaml) (default dict .labels) }}
{{ include "tiercel.texts" $labels | indent 2 }}
{{- if $annotations }}
annotations:
{{ include "tiercel.texts" $annotations | indent 2 }}
{{- end }}
{{- end -}}

{{/* Values that name the image of falcosidekick are those of its chart: they have no meaning here. */}}
{{- define "tiercel.foreignImage" -}}
{{- if hasSuffix "falcosidekick" (toString .Values.image.repository) }}true{{ end -}}
{{- end -}}

{{- define "tiercel.image" -}}
{{- $foreign := include "tiercel.foreignImage" . -}}
{{- $repository := ternary "tiercel" .Values.image.repository (eq $foreign "true") -}}
{{- $tag := ternary "" (toString (default "" .Values.image.tag)) (eq $foreign "true") -}}
{{- $path := ternary (printf "%s/%s" .Values.image.registry $repository) $repository (ne (toString (default "" .Values.image.registry)) "") -}}
{{- if and .Values.image.digest (not $foreign) -}}
{{- printf "%s@%s" $path .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $path (default .Chart.AppVersion $tag) -}}
{{- end -}}
{{- end -}}

{{/* A list of names, or of {name}. */}}
{{- define "tiercel.imagePullSecrets" -}}
{{- range .Values.imagePullSecrets }}
- name: {{ ternary . (get (ternary dict . (kindIs "string" .)) "name") (kindIs "string" .) }}
{{- end }}
{{- end -}}

{{/* Seconds of a duration such as 25s or 1m30s; a bare number is seconds. Rounded up. */}}
{{- define "tiercel.seconds" -}}
{{- $text := toString . -}}
{{- if regexMatch "^[0-9.]+$" $text -}}
{{- ceil (float64 $text) | int64 -}}
{{- else -}}
{{- $units := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+(ms|s|m|h|d)" $text -1 -}}
{{- $sum = addf $sum (mulf (float64 (regexFind "^[0-9.]+" .)) (get $units (regexFind "[a-z]+$" .))) -}}
{{- end -}}
{{- ceil $sum | int64 -}}
{{- end -}}
{{- end -}}
