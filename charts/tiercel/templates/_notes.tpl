{{/* What the values ask for and do not get, or may regret: one line each. */}}
{{- define "tiercel.notes" -}}
{{- $values := .Values -}}
{{- $config := $values.config -}}
{{- $driver := include "tiercel.driver" . -}}
{{- if eq $driver "memory" }}
- config.spool.driver is memory: alerts that wait are lost when their pod ends.
{{- else if and (eq $driver "disk") (not $values.persistence.enabled) }}
- persistence.enabled is false: the log survives a restart of the container, but not the end of its pod.
{{- else if and (eq $driver "jetstream") (not $values.persistence.enabled) }}
- persistence.enabled is false: alerts that come while NATS is away are lost when their pod ends before it is back.
{{- end }}
{{- if (default dict $values.webui).enabled }}
- webui.enabled: this chart has no web UI and installs no Redis. Where falcosidekick-ui runs on its own, config.webui.url
  sends to it.
{{- end }}
{{- if eq (include "tiercel.foreignImage" .) "true" }}
- image.repository names the image of falcosidekick: {{ include "tiercel.image" . }} runs in its place.
{{- end }}
{{- if (default dict $values.podSecurityPolicy).create }}
- podSecurityPolicy.create: Kubernetes has had no such objects since 1.25. The pods run under the restricted pod security standard.
{{- end }}
{{- with $config.azure }}
{{- if or .podIdentityName .podIdentityClientID }}
- config.azure.podIdentity*: AAD pod identity is no longer there. Use config.azure.workloadIdentityClientID.
{{- end }}
{{- end }}
{{- with $config.loki }}
{{- if kindIs "map" . }}
{{- if and .hostport (dig "grafanaDashboard" "enabled" false .) }}
- config.loki.grafanaDashboard: this chart has no dashboard over the lines in Loki.
{{- end }}
{{- end }}
{{- end }}
{{- if or $values.fullfqdn $values.listenPort $values.listenport }}
- fullfqdn and listenPort belong to the falco chart's wiring. The port is service.port; the block above has the address.
{{- end }}
{{- with $config.alertmanager }}
{{- if and (kindIs "map" .) (contains "/v1/" (toString .endpoint)) }}
- config.alertmanager.endpoint is {{ .endpoint }}: Alertmanager has no /api/v1 since 0.27. The default is /api/v2/alerts.
{{- end }}
{{- end }}
{{- with $config.kafka }}
{{- if and (kindIs "map" .) (eq (upper (toString .requiredacks)) "NONE") }}
- config.kafka.requiredacks is NONE: nobody can know whether an alert arrived. The default is ALL.
{{- end }}
{{- end }}
{{- $auth := default dict $config.auth }}
{{- if and $values.serviceMonitor.enabled (not $values.serviceMonitor.additionalProperties) (or $auth.token $auth.username $auth.path) }}
- config.auth is set, and /metrics asks for it too: serviceMonitor.additionalProperties.authorization.
{{- end }}
{{- with dig "limits" "memory" "" (default dict $values.resources) }}
{{- if lt (include "tiercel.quantity" . | float64) 0x1p28 }}
- resources.limits.memory is {{ . }}: less than 256Mi is too little for Tiercel.
{{- end }}
{{- end }}
{{- if and $config.existingSecret (include "tiercel.unreadable" .) }}
- The Secret {{ $config.existingSecret }} (config.existingSecret) is not there yet: the pods wait for it.
{{- end }}
{{- end -}}

{{/* True where a cluster can be asked and has no such Secret. */}}
{{- define "tiercel.unreadable" -}}
{{- if and (lookup "v1" "Namespace" "" "kube-system") (not (lookup "v1" "Secret" .Release.Namespace .Values.config.existingSecret)) }}true{{ end -}}
{{- end -}}
