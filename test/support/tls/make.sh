#!/bin/sh
# Makes the certificates of the tests of TLS anew, in this folder, and those of the benchmarks. They are good from 2000 to 2120 but
# for the one that has run out, and protect nothing: their keys are published with the tests.
set -eu
cd "$(dirname "$0")"
rm -f ./*.pem
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SINCE=20000101000000Z
UNTIL=21200101000000Z

key() { # file
  openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"
}

# signs $work/request.pem: out, until, names of the subject or "CA", then options of `openssl ca`
sign() {
  out=$1 until=$2 names=$3
  shift 3
  : >"$work/index.txt"
  {
    printf '[ca]\ndefault_ca=one\n[one]\ndatabase=%s\nnew_certs_dir=%s\n' "$work/index.txt" "$work"
    printf 'rand_serial=yes\ndefault_md=sha256\npolicy=any\nunique_subject=no\n'
    printf '[any]\ncommonName=supplied\n[extensions]\n'
    if [ "$names" = CA ]; then
      printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n'
    else
      printf 'basicConstraints=CA:FALSE\nsubjectAltName=%s\n' "$names"
    fi
  } >"$work/config"
  openssl ca -batch -notext -config "$work/config" -extensions extensions -in "$work/request.pem" \
    -out "$out" -startdate "$SINCE" -enddate "$until" "$@"
}

authority() { # file, name
  key "$work/$1-key.pem"
  openssl req -new -key "$work/$1-key.pem" -subj "/CN=$2" -out "$work/request.pem"
  sign "$1.pem" "$UNTIL" CA -selfsign -keyfile "$work/$1-key.pem"
}

certificate() { # file, authority, until, names of the subject
  key "$1-key.pem"
  openssl req -new -key "$1-key.pem" -subj "/CN=$1" -out "$work/request.pem"
  sign "$1.pem" "$3" "$4" -cert "$2.pem" -keyfile "$work/$2-key.pem"
}

authority authority "the authority of the tests"
authority stranger "another authority"
for node in node-a node-b node-c n1 n2 n3; do
  certificate "$node" authority "$UNTIL" "DNS:$node,IP:127.0.0.1"
done
certificate node-b-renewed authority "$UNTIL" "DNS:node-b"
certificate node-b-forged stranger "$UNTIL" "DNS:node-b"
certificate node-b-any authority "$UNTIL" "DNS:*,DNS:NODE-B,DNS:node-b.example,URI:node-b"
certificate node-b-past authority 20010101000000Z "DNS:node-b"

benchmarks=../../../benchmarks/support/certificates
mkdir -p "$benchmarks"
cp authority.pem node-a.pem node-a-key.pem node-b.pem node-b-key.pem "$benchmarks"
