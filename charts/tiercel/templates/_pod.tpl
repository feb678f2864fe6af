{{/* The pod of the Deployment or the StatefulSet. */}}
{{- define "tiercel.pod" -}}
{{- $config := include "tiercel.config" . | fromJson -}}
{{- $tls := include "tiercel.tls" . | fromJson -}}
{{- $fullname := include "tiercel.fullname" . -}}
{{- $byFile := not $config.byEnvironment -}}
{{- $tlsKeys := default dict .Values.config.tlsserver -}}
{{- $claim := and (eq (include "tiercel.kind" .) "StatefulSet") (not .Values.persistence.existingClaim) -}}
metadata:
  labels:
    {{- $labels := mergeOverwrite (include "tiercel.labels" . | fromYaml) (default dict .Values.podLabels) }}
    {{- if (default dict .Values.config.azure).workloadIdentityClientID }}
    {{- $_ := set $labels "azure.workload.identity/use" "true" }}
    {{- end }}
    {{- include "tiercel.texts" $labels | nindent 4 }}
  annotations:
    checksum/config: {{ include "tiercel.checksum" (dict "root" . "config" $config) }}
    {{- with .Values.podAnnotations }}
    {{- include "tiercel.texts" . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "tiercel.serviceAccountName" . }}
  automountServiceAccountToken: {{ include "tiercel.automount" . }}
  {{- with include "tiercel.imagePullSecrets" . }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ include "tiercel.gracePeriod" . }}
  {{- with .Values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with .Values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  containers:
    - name: tiercel
      image: {{ include "tiercel.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        {{- if $byFile }}
        - -c
        - /etc/tiercel/config.yaml
        {{- end }}
        {{- range .Values.config.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      ports:
        - name: http
          containerPort: {{ include "tiercel.port" . }}
          protocol: TCP
        {{- if and $tls.on $tls.plainPaths }}
        - name: http-notls
          containerPort: {{ $tls.plainPort }}
          protocol: TCP
        {{- end }}
      env:
        - name: SPOOL_PATH
          value: {{ include "tiercel.dataPath" . }}
        {{- range $path, $reference := .Values.secrets }}
        - name: {{ include "tiercel.variable" $path }}_FILE
          value: /etc/tiercel/secrets/{{ regexReplaceAll "[^-._a-zA-Z0-9]" $path "-" }}
        {{- end }}
        {{- with concat (default list $config.env) (default list .Values.config.extraEnv) }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- $from := list }}
      {{- if not $byFile }}
      {{- $from = list (dict "configMapRef" (dict "name" $fullname)) (dict "secretRef" (dict "name" $fullname)) }}
      {{- end }}
      {{- with .Values.config.existingSecret }}
      {{- $from = append $from (dict "secretRef" (dict "name" .)) }}
      {{- end }}
      {{- with concat $from (default list .Values.extraEnvFrom) }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- include "tiercel.probes" (dict "root" . "tls" $tls) | nindent 6 }}
      lifecycle:
        preStop:
          {{- include "tiercel.preStop" . | nindent 10 }}
      {{- if .Values.resources }}
      resources:
        {{- include "tiercel.resources" . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: data
          mountPath: {{ include "tiercel.dataPath" . }}
        {{- if or $byFile .Values.secrets }}
        - name: config
          mountPath: /etc/tiercel
          readOnly: true
        {{- end }}
        {{- if or .Values.tls.secretName $tlsKeys.existingSecret $tlsKeys.servercrt }}
        - name: server-certificate
          mountPath: /etc/certs/server
          readOnly: true
        {{- end }}
        {{- if .Values.clientTls.secretName }}
        - name: client-certificate
          mountPath: /etc/certs/client
          readOnly: true
        {{- end }}
        {{- if or .Values.trustedCa.configMapName .Values.trustedCa.secretName }}
        - name: trusted
          mountPath: /etc/certs/trusted
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- tpl (toYaml .) $ | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- include "tiercel.texts" . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $selector := dict "labelSelector" (dict "matchLabels" (include "tiercel.selectorLabels" $ | fromYaml)) }}
    {{- list (ternary . (merge (deepCopy .) $selector) (hasKey . "labelSelector")) | toYaml | nindent 4 }}
    {{- end }}
  {{- end }}
  volumes:
    {{- if not $claim }}
    - name: data
      {{- if .Values.persistence.existingClaim }}
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim }}
      {{- else }}
      emptyDir:
        {{- toYaml .Values.persistence.emptyDir | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- if or $byFile .Values.secrets }}
    - name: config
      projected:
        defaultMode: 0440
        sources:
          {{- if $byFile }}
          - configMap:
              name: {{ $fullname }}
          {{- with $config.secrets }}
          - secret:
              name: {{ $fullname }}
              items:
                {{- range $file, $_ := . }}
                - key: {{ $file }}
                  path: secrets/{{ $file }}
                {{- end }}
          {{- end }}
          {{- end }}
          {{- range $path, $reference := .Values.secrets }}
          - secret:
              name: {{ $reference.name }}
              items:
                - key: {{ $reference.key }}
                  path: secrets/{{ regexReplaceAll "[^-._a-zA-Z0-9]" $path "-" }}
          {{- end }}
    {{- end }}
    {{- if .Values.tls.secretName }}
    - name: server-certificate
      secret:
        secretName: {{ .Values.tls.secretName }}
        defaultMode: 0440
        items:
          - key: tls.crt
            path: server.crt
          - key: tls.key
            path: server.key
          {{- if $tls.mutual }}
          - key: ca.crt
            path: ca.crt
          {{- end }}
    {{- else if or $tlsKeys.existingSecret $tlsKeys.servercrt }}
    - name: server-certificate
      secret:
        secretName: {{ default (printf "%s-certs" $fullname) $tlsKeys.existingSecret }}
        defaultMode: 0440
    {{- end }}
    {{- if .Values.clientTls.secretName }}
    - name: client-certificate
      secret:
        secretName: {{ .Values.clientTls.secretName }}
        defaultMode: 0440
        items:
          - key: tls.crt
            path: client.crt
          - key: tls.key
            path: client.key
          - key: ca.crt
            path: ca.crt
    {{- end }}
    {{- if .Values.trustedCa.configMapName }}
    - name: trusted
      configMap:
        name: {{ .Values.trustedCa.configMapName }}
    {{- else if .Values.trustedCa.secretName }}
    - name: trusted
      secret:
        secretName: {{ .Values.trustedCa.secretName }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
{{- end -}}

{{/*
Probes over the port that answers them: without TLS, with HTTPS, or, where clients have to show a certificate, which the
kubelet has not, over the port without TLS.
*/}}
{{- define "tiercel.probes" -}}
{{- $tls := .tls -}}
{{- range $name := list "startup" "readiness" "liveness" -}}
{{- $probe := deepCopy (get $.root.Values.probes $name) -}}
{{- if $probe.enabled -}}
{{- $path := $probe.path -}}
{{- $port := "http" -}}
{{- $scheme := "HTTP" -}}
{{- if $tls.on -}}
{{- if has $path $tls.plainPaths -}}
{{- $port = "http-notls" -}}
{{- else if not $tls.mutual -}}
{{- $scheme = "HTTPS" -}}
{{- else if has "/ping" $tls.plainPaths -}}
{{- $path = "/ping" -}}
{{- $port = "http-notls" -}}
{{- else -}}
{{- fail (printf "with mutual TLS the probes need /ping in config.tlsserver.notlspaths, or probes.%s.enabled: false" $name) -}}
{{- end -}}
{{- end }}
{{ $name }}Probe:
  httpGet:
    path: {{ $path }}
    port: {{ $port }}
    scheme: {{ $scheme }}
  {{- omit $probe "enabled" "path" | toYaml | nindent 2 }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Waits until no new connections come. The image needs no shell, so older kubelets start node for it. */}}
{{- define "tiercel.preStop" -}}
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version -}}
sleep:
  seconds: {{ .Values.preStopSeconds | int64 }}
{{- else -}}
exec:
  command: [node, -e, "setTimeout(() => {}, {{ mul 1000 .Values.preStopSeconds }})"]
{{- end -}}
{{- end -}}

{{/* The wait before the signal, the drain, and some room to close. */}}
{{- define "tiercel.gracePeriod" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- .Values.terminationGracePeriodSeconds | int64 -}}
{{- else -}}
{{- add .Values.preStopSeconds (include "tiercel.seconds" (default "25s" (dig "shutdown" "grace" "25s" .Values.config))) 10 -}}
{{- end -}}
{{- end -}}

{{- define "tiercel.automount" -}}
{{- if kindIs "bool" .Values.serviceAccount.automountServiceAccountToken -}}
{{- .Values.serviceAccount.automountServiceAccountToken -}}
{{- else -}}
{{- not (empty (include "tiercel.clusterRules" . | fromJson).rules) -}}
{{- end -}}
{{- end -}}

{{/*
Changes when a pod has to start anew. What the daemon takes over by itself is left out, unless reload is `restart`; what
comes as variables is always in it.
*/}}
{{- define "tiercel.checksum" -}}
{{- $values := .root.Values -}}
{{- $parts := dict "env" .config.env "extraEnv" $values.config.extraEnv -}}
{{- if or .config.byEnvironment (eq $values.reload "restart") -}}
{{- $_ := set $parts "config" .config.value -}}
{{- $_ := set $parts "secrets" .config.secrets -}}
{{- else -}}
{{- range $key := list "listenaddress" "listenport" "spool" "deadletters" -}}
{{- $_ := set $parts $key (get $.config.value $key) -}}
{{- end -}}
{{- range $file, $text := .config.secrets -}}
{{- if hasPrefix "spool." $file }}{{ $_ := set $parts (printf "text %s" $file) $text }}{{ end -}}
{{- end -}}
{{- range $path, $reference := $values.secrets -}}
{{- if hasPrefix "spool." (lower $path) -}}
{{- $_ := set $parts (printf "reference %s" $path) (dig "data" $reference.key "" (lookup "v1" "Secret" $.root.Release.Namespace $reference.name)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $parts "tlsserver" (pick (default dict .config.value.tlsserver) "deploy" "mutualtls" "notlsport" "notlspaths") -}}
{{- end -}}
{{- range $name := concat (list $values.config.existingSecret) (default list $values.extraEnvFrom) -}}
{{- if kindIs "map" $name }}{{ $name = dig "secretRef" "name" "" $name }}{{ end -}}
{{- if $name -}}
{{- $_ := set $parts (printf "secret %s" $name) (default dict (lookup "v1" "Secret" $.root.Release.Namespace $name)).data -}}
{{- end -}}
{{- end -}}
{{- toJson $parts | sha256sum -}}
{{- end -}}
