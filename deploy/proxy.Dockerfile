# Caddy as an ordinary user: certificates in a folder of that user's, and a binary without capabilities of its own.
ARG CADDY_IMAGE=caddy:2

FROM ${CADDY_IMAGE}
RUN cp /usr/bin/caddy /usr/local/bin/caddy && mkdir -p /data && chown 10001:10001 /data
ENV XDG_DATA_HOME=/data XDG_CONFIG_HOME=/tmp
USER 10001:10001
CMD ["/usr/local/bin/caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
