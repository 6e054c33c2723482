#!/bin/sh
# Makes a CA and two certificates to try the example with, in ./certificates.
set -eu
mkdir -p certificates
cd certificates
new_key='ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 -newkey $new_key -days 30 -subj '/CN=Example CA' -keyout ca.key -out ca.pem 2>/dev/null
for name in shop.example admin.example; do
  openssl req -new -newkey $new_key -subj "/CN=$name" -addext "subjectAltName=DNS:$name" -keyout $name.key -out $name.csr 2>/dev/null
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -copy_extensions copy -out $name.pem 2>/dev/null
  rm $name.csr
done
