#!/bin/sh
# Temporal's two databases: made when new, brought to the schema of this version otherwise. Safe to repeat.
set -eu

prepare() {
    database=$1 schema=$2
    run() { temporal-sql-tool --plugin postgres12 --ep "$SQL_HOST" -p 5432 -u "$SQL_USER" --db "$database" "$@"; }
    run create
    # Refused by a database that has a version already, which is then only updated.
    run setup-schema -v 0.0 || true
    run update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
}

prepare temporal temporal
prepare temporal_visibility visibility
