#!/bin/sh
# Get a certificate for RECSITE_DOMAIN over nginx' port 80 and renew it; nginx takes it up by itself (nginx/reload.sh).
set -u
: "${RECSITE_DOMAIN:?}" "${RECSITE_ACME_EMAIL:?the authority writes there before a certificate ends}"
live=/etc/letsencrypt/live/recsite
while :; do
    certbot certonly --non-interactive --agree-tos --email "$RECSITE_ACME_EMAIL" --cert-name recsite \
        --webroot --webroot-path /var/www/acme --keep-until-expiring --domain "$RECSITE_DOMAIN" \
        ${RECSITE_ACME_SERVER:+--server "$RECSITE_ACME_SERVER"}
    if [ -e "$live/fullchain.pem" ] && ! cmp -s "$live/fullchain.pem" /tls/web/server.crt; then
        umask 077
        cp "$live/privkey.pem" /tls/web/server.key.new && cp "$live/fullchain.pem" /tls/web/server.crt.new &&
            mv /tls/web/server.key.new /tls/web/server.key && mv /tls/web/server.crt.new /tls/web/server.crt
    fi
    # An authority that refused is asked again within the hour, and a certificate that is there looked at twice a day.
    [ -e "$live/fullchain.pem" ] && sleep 43200 || sleep 1800
done
