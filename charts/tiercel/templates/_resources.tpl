{{/* A quantity of Kubernetes, such as 100m or 1Gi, as a plain number. */}}
{{- define "tiercel.quantity" -}}
{{- $units := dict "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 -}}
{{- $units = merge $units (dict "Ki" 0x1p10 "Mi" 0x1p20 "Gi" 0x1p30 "Ti" 0x1p40 "Pi" 0x1p50 "Ei" 0x1p60) -}}
{{- $unit := regexFind "[A-Za-z]*$" (toString .) -}}
{{- mulf (trimSuffix $unit (toString .) | float64) (get $units $unit | default 1) -}}
{{- end -}}

{{/*
Who gives limits alone has the chart's requests beside them. A request above its limit, which no cluster takes, is
lowered to it.
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
