#!/bin/sh
# Any CI system, with nothing but curl: asks for a build, follows the log, and ends with 0 only if the image was published.
#
#   SERVICE=https://builds.example TOKEN=... ./curl.sh https://git.example/team/pay.git "$(git rev-parse HEAD)" [directory]
set -eu

repository=$1 commit=$2 directory=${3-}

call() { curl --fail-with-body --silent --show-error --retry 5 --header "Authorization: Bearer $TOKEN" "$@"; }

# The same key for the same commit: a request that is sent again is one build. Values have no quotes in them: they are a
# URL, hexadecimal digits and a path.
build=$(call --header 'Content-Type: application/json' --header "Idempotency-Key: $commit-$directory" \
	--data "{\"repository\": \"$repository\", \"commit\": \"$commit\", \"directory\": \"$directory\"}" \
	"$SERVICE/v1/builds")
id=$(printf '%s' "$build" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
echo "build $id" >&2

# Server-sent events: the text of each line, then the end.
end=$(call --no-buffer "$SERVICE/v1/builds/$id/logs" | sed -n \
	-e 's/^data: {"seq":.*"text":"\(.*\)"}$/\1/w /dev/stderr' -e 's/^data: \({"state":.*\)$/\1/p')
end=$(printf '%s\n' "$end" | tail -n 1)
case $end in
*'"state":"succeeded"'*) printf '%s\n' "$end" | sed 's/.*"reference":"\([^"]*\)".*/\1/' ;;
*) printf '%s\n' "$end" >&2; exit 1 ;;
esac
