{{/* Alerts on Tiercel itself and, under the names of the falcosidekick chart, on what Falco reports. */}}
{{- define "tiercel.rules" -}}
{{- $alerts := .root.Values.prometheusRules.alerts -}}
{{- $one := printf "job=%q,namespace=%q" .service .root.Release.Namespace -}}
{{- if $alerts.absent.enabled }}
- alert: TiercelAbsent
  expr: absent(up{ {{- $one -}} } == 1)
  for: {{ $alerts.absent.for }}
  labels:
    severity: critical
  annotations:
    summary: Tiercel is gone
    description: No instance of {{ .service }} can be scraped. Alerts of Falco may go nowhere.
{{- end }}
{{- if $alerts.lag.enabled }}
- alert: TiercelOutputBehind
  expr: max by (namespace, pod, output) (tiercel_output_lag_seconds{ {{- $one -}} }) > {{ $alerts.lag.threshold }}
  for: {{ $alerts.lag.for }}
  labels:
    severity: warning
  annotations:
    summary: The output {{ "{{ $labels.output }}" }} is behind
    description: 'Its oldest alert has been waiting for {{ "{{ $value | humanizeDuration }}" }}. Alerts wait in the log and are not lost yet.'
{{- end }}
{{- if $alerts.buried.enabled }}
- alert: TiercelAlertsGivenUp
  expr: sum by (namespace, output) (increase(tiercel_output_buried_total{ {{- $one -}} }[{{ $alerts.buried.interval }}])) > 0
  labels:
    severity: warning
  annotations:
    summary: Alerts for {{ "{{ $labels.output }}" }} were given up
    description: They are dead letters; `tiercel dead list` shows why, `tiercel dead replay` sends them again.
{{- end }}
{{- if $alerts.dropped.enabled }}
- alert: TiercelAlertsDropped
  expr: sum by (namespace, output) (increase(tiercel_output_dropped_total{ {{- $one -}} }[{{ $alerts.dropped.interval }}])) > 0
  labels:
    severity: critical
  annotations:
    summary: Alerts for {{ "{{ $labels.output }}" }} were lost
    description: The log was full, or they were older than spool.maxage.
{{- end }}
{{- if $alerts.spool.enabled }}
- alert: TiercelSpoolFault
  expr: max by (namespace, pod) (tiercel_spool_fault{ {{- $one -}} }) == 1
  for: 1m
  labels:
    severity: critical
  annotations:
    summary: Tiercel cannot store alerts
    description: The volume of {{ "{{ $labels.pod }}" }} refuses writes; new alerts are answered with 503.
- alert: TiercelLogFull
  expr: max by (namespace, pod) (tiercel_spool_full{ {{- $one -}} }) == 1
  for: 1m
  labels:
    severity: critical
  annotations:
    summary: Tiercel refuses alerts
    description: The log of {{ "{{ $labels.pod }}" }} is full of alerts that outputs have not taken; new ones are answered with 503.
- alert: TiercelDeadLettersFault
  expr: max by (namespace, pod) (tiercel_spool_dead_letters_fault{ {{- $one -}} }) == 1
  for: 5m
  labels:
    severity: warning
  annotations:
    summary: Dead letters cannot be stored
    description: Alerts that {{ "{{ $labels.pod }}" }} has given up stay in its log until they can be; its log says why not.
- alert: TiercelBuffering
  expr: max by (namespace, pod) (tiercel_spool_buffering{ {{- $one -}} }) == 1
  for: 5m
  labels:
    severity: warning
  annotations:
    summary: NATS is away
    description: Alerts wait on the disk of {{ "{{ $labels.pod }}" }}; outputs get them when NATS is back.
- alert: TiercelAlertsWaitLong
  expr: max by (namespace, pod, output) (tiercel_output_lag_seconds{ {{- $one -}} }) > {{ $alerts.spool.oldest }}
  for: 10m
  labels:
    severity: warning
  annotations:
    summary: Alerts for {{ "{{ $labels.output }}" }} have been in the log of {{ "{{ $labels.pod }}" }} for long
    description: 'The oldest has waited for {{ "{{ $value | humanizeDuration }}" }}; when the log is full the oldest are dropped.'
{{- end }}
{{- if $alerts.refused.enabled }}
- alert: TiercelRequestsRefused
  expr: sum by (namespace, reason) (increase(tiercel_refusals_total{ {{- $one -}} }[{{ $alerts.refused.interval }}])) > {{ $alerts.refused.threshold }}
  labels:
    severity: warning
  annotations:
    summary: A sender sends what cannot be taken
    description: 'The reason is {{ "{{ $labels.reason }}" }}; `tiercel doctor` shows the last ones. Falco does not tell.'
{{- end }}
{{- if $alerts.reload.enabled }}
- alert: TiercelConfigurationRefused
  expr: min by (namespace, pod) (tiercel_config_last_reload_successful{ {{- $one -}} }) == 0
  for: 5m
  labels:
    severity: warning
  annotations:
    summary: A changed configuration had no effect
    description: The log of {{ "{{ $labels.pod }}" }} says why; the former one is in use.
{{- end }}
{{- if $alerts.output.enabled }}
- alert: FalcoErrorOutputEventsRateHigh
  expr: sum by (namespace, destination) (rate(falcosecurity_falcosidekick_outputs_total{status="error",{{ $one }}}[{{ $alerts.output.rate_interval }}])) > {{ $alerts.output.threshold }}
  for: 15m
  labels:
    severity: warning
  annotations:
    summary: Tries to reach {{ "{{ $labels.destination }}" }} fail
    description: '{{ "{{ $value }}" }} tries a second fail; they are repeated.'
{{- end }}
{{- range $priority := list "warning" "error" "critical" "alert" "emergency" }}
{{- $alert := get $alerts $priority }}
{{- if $alert.enabled }}
- alert: Falco{{ title $priority }}EventsRateHigh
  expr: sum by (namespace, rule) (rate(falcosecurity_falcosidekick_falco_events_total{priority_raw={{ quote $priority }},{{ $one }}}[{{ $alert.rate_interval }}])) > {{ $alert.threshold }}
  for: 15m
  labels:
    severity: {{ ternary "warning" "critical" (has $priority (list "warning" "error")) }}
  annotations:
    summary: Falco reports many events of priority {{ $priority }}
    description: 'The rule {{ "{{ $labels.rule }}" }}: {{ "{{ $value }}" }} a second.'
{{- end }}
{{- end }}
{{- end -}}
