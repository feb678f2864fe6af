#!/usr/bin/env bash
# Installs a copy of the tree with `npm ci --omit=optional`, builds it there, and tries what comes out with
# test/e2e/without-optional.test.ts. Prints `N passed, N failed`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -r --parents package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json scripts/build.mjs src "$work"
(cd "$work" && npm ci --omit=optional --no-audit --no-fund --loglevel=error && npm run --silent build)

status=0
TIERCEL_WITHOUT_OPTIONAL="$work/dist/main.js" node_modules/.bin/vitest run test/e2e/without-optional.test.ts \
  --reporter=default --reporter=json --outputFile.json="$work/tests.json" || status=$?
node -p "const { numPassedTests, numFailedTests } = require('$work/tests.json'); numPassedTests + ' passed, ' + numFailedTests + ' failed'"
exit "$status"
