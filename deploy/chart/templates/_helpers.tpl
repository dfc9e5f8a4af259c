{{- /* The release's name if it says cosmoscmk already, else both: as helm create makes it. */}}
{{- define "cosmoscmk.name" -}}
{{- if contains "cosmoscmk" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-cosmoscmk" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cosmoscmk.selector" -}}
app.kubernetes.io/name: cosmoscmk
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cosmoscmk.labels" -}}
{{ include "cosmoscmk.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "cosmoscmk.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "cosmoscmk.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "cosmoscmk.name" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}

{{- /* What the controller needs in the namespaces whose CosmosCMKs it looks after. */}}
{{- define "cosmoscmk.rules" -}}
rules:
  - apiGroups: [cosmoscmk.io]
    resources: [cosmoscmks]
    verbs: [get, list, watch]
  - apiGroups: [cosmoscmk.io]
    resources: [cosmoscmks/status]
    verbs: [patch]
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
{{- end -}}
