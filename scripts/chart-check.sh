#!/usr/bin/env bash
# What holds of the chart and the image as a whole, beside test/chart: the package that is handed out, and the image built
# and tried. Ends with `N passed, N failed`.
#   IMAGE_BUILDER=<script> scripts/chart-check.sh      see scripts/image-check.ts; without it the image is left out
#   FALCOSIDEKICK_VALUES=<file>                        facts about falcosidekick's chart, held against our fixture of them
# TIERCEL_CACHE: where scripts/services.sh has put Helm (default ~/.cache/tiercel).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export PATH="$PWD/node_modules/.bin:$PATH"
helm=$(ls -d "${TIERCEL_CACHE:-$HOME/.cache/tiercel}"/helm-*/helm 2>/dev/null | sort -V | tail -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HELM_CACHE_HOME="$work/helm" HELM_CONFIG_HOME="$work/helm" HELM_DATA_HOME="$work/helm" KUBECONFIG=/dev/null
passed=0
failed=0

check() { # check WHAT COMMAND...
  local what="$1"; shift
  if "$@" >"$work/log" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $what"
  else
    failed=$((failed + 1))
    echo "FAIL  $what"
    tail -n 20 "$work/log"
  fi
}

lints() { "$helm" lint --strict charts/tiercel; }
packs() { "$helm" package charts/tiercel --destination "$work/packed"; }
# Values of the tests are no part of it; what the templates read is.
holds_what_it_needs() {
  tar -tzf "$work"/packed/tiercel-*.tgz >"$work/files" &&
    ! grep -q '/ci/' "$work/files" &&
    for file in outputs.json falcosidekick-chart.yaml dashboard.json; do grep -q "files/$file\$" "$work/files" || return 1; done
}
# A release is kept in a Secret, which can hold 1 MiB.
is_small() { [ "$(stat -c %s "$work"/packed/tiercel-*.tgz)" -lt 300000 ]; }
same_from_package() {
  "$helm" template falco "$work"/packed/tiercel-*.tgz >"$work/packed.yaml" &&
    "$helm" template falco charts/tiercel >"$work/folder.yaml" &&
    diff "$work/packed.yaml" "$work/folder.yaml"
}
# As a part of another chart, under another name.
works_as_a_part() {
  mkdir -p "$work/whole/charts" && cp -r charts/tiercel "$work/whole/charts/" &&
    printf 'apiVersion: v2\nname: whole\nversion: 1.0.0\ndependencies:\n  - {name: tiercel, alias: alerts, version: ">=0", condition: alerts.enabled}\n' >"$work/whole/Chart.yaml" &&
    printf 'global: {region: eu}\nalerts: {enabled: true, config: {slack: {webhookurl: "https://x.example.test"}}}\n' >"$work/whole/values.yaml" &&
    "$helm" template one "$work/whole" >"$work/whole.yaml" &&
    grep -q 'name: one-alerts$' "$work/whole.yaml"
}
same_facts() { node scripts/gen/falcosidekick-facts.ts "$FALCOSIDEKICK_VALUES"; }

if [ -z "$helm" ]; then
  echo 'chart-check: Helm is not there; scripts/services.sh helm installs it'
  failed=$((failed + 1))
else
  check 'helm lint' lints
  check 'helm package' packs
  check 'the package has what the templates read, and no values of tests' holds_what_it_needs
  check 'the package is small' is_small
  check 'the package renders the same' same_from_package
  check 'the chart works as a part of another one' works_as_a_part
fi
if [ -n "${FALCOSIDEKICK_VALUES:-}" ]; then
  check 'the fixture of the falcosidekick chart is as the facts have it' same_facts
fi

if [ -n "${IMAGE_BUILDER:-}" ]; then
  node scripts/image-check.ts | tee "$work/image"
  line=$(tail -n 1 "$work/image")
  ok=$(grep -oE '^[0-9]+ passed' <<<"$line" | cut -d' ' -f1)
  bad=$(grep -oE '[0-9]+ failed$' <<<"$line" | cut -d' ' -f1)
  passed=$((passed + ${ok:-0}))
  failed=$((failed + ${bad:-1}))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
