{{/* A quantity of Kubernetes, such as 100m or 1Gi, as a plain number. */}}
{{- define "tiercel.quantity" -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := regexFind "[A-Za-z]*$" (toString .) -}}
{{- mulf (trimSuffix $unit (toString .) | float64) (get $units $unit | default 1) -}}
{{- end -}}

{{/*
Who gives limits alone has the chart's requests beside them: one above its limit, which no cluster takes, is lowered to
it.
*/}}
{{- define "tiercel.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- $requests := default dict $resources.requests -}}
{{- range $name, $limit := $resources.limits -}}
{{- $request := get $requests $name -}}
{{- if and $request $limit (gt (include "tiercel.quantity" $request | float64) (include "tiercel.quantity" $limit | float64)) -}}
{{- $_ := set $requests $name $limit -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
