#!/bin/sh
# Makes the certificates of a broker and its clients, with an authority of their own.
#
#   sh deploy/certificates.sh FOLDER server NAME [NAME-OR-ADDRESS...]   the broker's, for its host names
#   sh deploy/certificates.sh FOLDER client NAME                       a gateway's or a meter's
#
# The authority (ca.crt, ca.key) is made in FOLDER at the first call. Keep ca.key off the broker:
# who holds it can be any gateway. A client's name becomes its user name at the broker.
set -eu
umask 077

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -ge 3 ] || usage
folder=$1 purpose=$2 name=$3
shift 3
case $purpose in server | client) ;; *) usage ;; esac
case $name in
    *[!A-Za-z0-9._-]*)
        echo "$0: '$name' may hold letters, digits, '.', '_' and '-' only" >&2
        exit 2
        ;;
esac
command -v openssl >/dev/null 2>&1 || {
    echo "$0: openssl is missing: apt-get install openssl" >&2
    exit 1
}

mkdir -p "$folder"
if [ ! -e "$folder/ca.key" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 3650 \
        -subj "/CN=Tallygate meters" -addext "basicConstraints=critical,CA:TRUE" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>/dev/null
fi

file=$name
usage_of_key=clientAuth
names="DNS:$name"
if [ "$purpose" = server ]; then
    file=server
    usage_of_key=serverAuth
    for other in "$@"; do
        case $other in
            *:* | [0-9]*.[0-9]*.[0-9]*.[0-9]*) names="$names,IP:$other" ;;
            *) names="$names,DNS:$other" ;;
        esac
    done
fi
if [ -e "$folder/$file.key" ]; then
    echo "$0: $folder/$file.key is there already; remove it to make another one" >&2
    exit 1
fi

extensions=$(mktemp)
trap 'rm -f "$extensions" "$folder/$file.csr"' EXIT
printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=%s\n' \
    "$usage_of_key" "$names" >"$extensions"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj "/CN=$name" \
    -keyout "$folder/$file.key" -out "$folder/$file.csr" 2>/dev/null
openssl x509 -req -sha256 -days 825 -in "$folder/$file.csr" -CA "$folder/ca.crt" \
    -CAkey "$folder/ca.key" -CAcreateserial -extfile "$extensions" -out "$folder/$file.crt" 2>/dev/null
echo "$folder/$file.crt and $folder/$file.key, trusted through $folder/ca.crt"
