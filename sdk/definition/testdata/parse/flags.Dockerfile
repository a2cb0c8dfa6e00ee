ARG BASE=alpine
FROM --platform=$BUILDPLATFORM ${BASE}:3 AS build
FROM --platform="linux/amd64" busybox
COPY --from=build --chown=1:1 --chmod=0755 --link /a /b /c/
COPY --fr\
om=bu\
ild ["with space", "b\/c", "\u0041\n"]
COPY --"from=build" a b
COPY --from="bui"ld a b
COPY --from=bu\ild a b
COPY -- --from a
ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.com/a.tgz /
RUN --mount=type=bind,from=build,target=/x --mount=type=cache,"target=/a",id=c \
    --mount='type=bind,"from=build","target=/with,comma"' --network=none make
RUN --security=sandbox ["sh", "-c", "true"]
HEALTHCHECK --interval=5s --retries=3 CMD curl -f \
   http://localhost/
HEALTHCHECK CMD ["a", "b"]
HEALTHCHECK NONE
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ONBUILD COPY --from=build /x /y
ONBUILD RUN make \
   install
ONBUILD ADD ["a b", "c"]
EXPOSE 80 443/tcp
VOLUME /a /b
VOLUME ["/c d", "/e"]
USER nobody:nogroup
STOPSIGNAL SIGTERM
MAINTAINER Some One <a@example.com>
ENTRYPOINT ["/bin/x"]
CMD -v
