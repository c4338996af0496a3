#!/bin/sh
# Run once by the image of PostgreSQL, when its volume is empty: a database for each service.
set -eu
for name in usage billing payments notifications; do
  psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --command "CREATE DATABASE $name"
done
