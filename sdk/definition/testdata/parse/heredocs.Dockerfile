#!/usr/bin/env plimsoll
# syntax=docker/dockerfile:1
FROM alpine
RUN <<EOF
FROM not:this
# not a comment
EOF
RUN <<-"EOT" cat >/x && <<'TWO' sh
	tab
	EOT
FROM nor:this
TWO
COPY --link <<a <<-b /dst/
content of a $HOME
a
		chomped
	b
ADD <<"q" /q
$raw
q
ONBUILD RUN <<EOF
echo child
EOF
RUN 3<<three cat <&3
3
three
RUN echo "<<no"
