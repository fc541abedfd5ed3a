{{- define "recsite.labels" -}}
app.kubernetes.io/name: recsite
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Of one role: (dict "root" $ "role" "web") */}}
{{- define "recsite.selector" -}}
app.kubernetes.io/name: recsite
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "recsite.name" -}}
{{ .root.Release.Name }}-{{ .role }}
{{- end }}

{{- define "recsite.claim" -}}
{{ .Values.data.existingClaim | default (printf "%s-data" .Release.Name) }}
{{- end }}

{{- define "recsite.image" -}}
{{- if contains "@" .Values.image.repository }}{{ .Values.image.repository }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ end }}
{{- end }}

{{/* What every container is told; secrets come from the secret alone. */}}
{{- define "recsite.environment" -}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: RECSITE_ALLOWED_HOSTS  # the last one: Prometheus asks a pod by its address
  value: {{ printf "%s,$(POD_IP)" (required "set domain: the name by which the shop's browsers reach Recsite" .Values.domain) | quote }}
- name: RECSITE_CSRF_TRUSTED_ORIGINS
  value: {{ printf "https://%s" .Values.domain | quote }}
- name: RECSITE_HTTPS
  value: "1"
- name: RECSITE_TRUSTED_PROXIES
  value: {{ .Values.trustedProxies | quote }}
- name: RECSITE_METRICS_HOST
  value: 0.0.0.0
- name: RECSITE_METRICS_PORT
  value: "9100"
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "recsite.secret" -}}
- secretRef:
    name: {{ required "set existingSecret: the secret with RECSITE_SECRET_KEY, DATABASE_URL, REDIS_URL, EVENT_LOG_URL" .Values.existingSecret }}
{{- end }}

{{- define "recsite.container" -}}
image: {{ include "recsite.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
envFrom:
{{ include "recsite.secret" .root }}
{{- end }}

{{- define "recsite.pod" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
automountServiceAccountToken: false
terminationGracePeriodSeconds: {{ .root.Values.terminationGracePeriodSeconds }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "recsite.selector" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "recsite.selector" . | nindent 8 }}
{{- end }}

{{- define "recsite.volumes" -}}
- name: data
  persistentVolumeClaim: {claimName: {{ include "recsite.claim" .root }}}
- name: tmp
  emptyDir: {}
{{- end }}

{{- define "recsite.mounts" -}}
- {name: data, mountPath: /var/lib/recsite}
- {name: tmp, mountPath: /tmp}
{{- end }}
