#!/usr/bin/env bash
# Installs the real servers that the integration tests start (Debian 12). Safe to run again: what is there stays.
#   scripts/services.sh                all of them
#   scripts/services.sh nats kafka     only these
# TIERCEL_CACHE: folder for what is not a Debian package (default ~/.cache/tiercel).
# Debian packages want root; everything else runs as the caller. Nothing is started.
set -euo pipefail

CACHE="${TIERCEL_CACHE:-$HOME/.cache/tiercel}"
KAFKA_VERSION=3.9.1
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

known="openssl nats kafka"
for name in ${*:-$known}; do
  declare -F "install_$name" >/dev/null || fail "no service called $name (known: $known)"
  "install_$name"
  say "$name is there"
done
