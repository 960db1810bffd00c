#!/bin/sh
# The namespace the product works in. Its search attributes are added by `everturn migrate`. Safe to repeat.
set -eu

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d
