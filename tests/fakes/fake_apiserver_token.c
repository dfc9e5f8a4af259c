/* Tokens: TokenRequest, and the kubeconfig for clients of this server.
 *
 * The tokens look like those of a real server (three parts, readable claims) and are not signed: whoever checks
 * signatures must refuse them. */
#include "fakes/fake_apiserver.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ISSUER "https://kubernetes.default.svc.cluster.local"

/* RFC 4648; url: the URL-safe alphabet, without padding. */
static void put_base64(struct buf *b, const char *data, size_t len, bool url)
{
    const char *letters = url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                              : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < n ? (unsigned char)data[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            if (k <= n)
                buf_putc(b, letters[group >> (18 - 6 * k) & 63]);
            else if (!url)
                buf_putc(b, '=');
    }
}

static char *make_token(const struct api_request *r, const cJSON *audiences, int64_t now_s, int64_t expires_s)
{
    static const char header[] = "{\"alg\":\"RS256\",\"kid\":\"fake\"}";
    _cleanup_(json_freep) cJSON *claims = cJSON_CreateObject();
    _cleanup_(freep) char *subject = xasprintf("system:serviceaccount:%s:%s", r->ns, r->name);
    cJSON_AddItemToObject(claims, "aud", cJSON_Duplicate(audiences, true));
    json_add_int(claims, "exp", expires_s);
    json_add_int(claims, "iat", now_s);
    json_add_string(claims, "iss", ISSUER);
    json_add_string(claims, "sub", subject);
    _cleanup_(freep) char *text = json_print(claims);
    struct buf token = BUF_INIT(65536);
    put_base64(&token, header, strlen(header), true);
    buf_putc(&token, '.');
    put_base64(&token, text, strlen(text), true);
    buf_putc(&token, '.');
    put_base64(&token, "not signed", 10, true);
    return buf_take(&token);
}

void api_token_request(struct api_request *r)
{
    char until[TIME_TEXT_SIZE];
    int64_t seconds = 3600, now_ms = fake_core_now(r->api->core);
    _cleanup_(freep) char *key = api_key(r);
    if (!store_get(r->api->store, r->resource->collection, key)) {
        (void)api_fail_not_found(r, r->resource->collection, r->name);
        return;
    }
    _cleanup_(json_freep) cJSON *object = api_body(r);
    if (!object)
        return;
    (void)json_int(json_at(object, "spec.expirationSeconds"), false, &seconds);
    if (seconds < 600) {
        (void)api_fail(r, 422, "Invalid",
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: %lld: may not "
            "specify a "
            "duration less than 10 minutes",
            (long long)seconds);
        return;
    }
    _cleanup_(json_freep) cJSON *own = cJSON_CreateArray();
    cJSON_AddItemToArray(own, cJSON_CreateString(ISSUER));
    const cJSON *asked = json_at(object, "spec.audiences");
    _cleanup_(freep) char *token =
        make_token(r, cJSON_GetArraySize(asked) ? asked : own, now_ms / 1000, now_ms / 1000 + seconds);
    cJSON_DeleteItemFromObjectCaseSensitive(object, "status");
    cJSON_DeleteItemFromObjectCaseSensitive(object, "metadata");
    cJSON *metadata = json_add_object(object, "metadata");
    json_add_string(metadata, "name", r->name);
    json_add_string(metadata, "namespace", r->ns);
    cJSON *status = json_add_object(object, "status");
    time_format_rfc3339(now_ms + seconds * 1000, until);
    json_add_string(status, "token", token);
    json_add_string(status, "expirationTimestamp", until);
    fake_reply_json(r->reply, 201, object);
}

int api_write_kubeconfig(const char *path, const char *url, const char *ca_file, const char *token, struct err *err)
{
    struct buf ca = BUF_INIT(65536), text = BUF_INIT(262144);
    if (file_read(ca_file, &ca, err) < 0)
        return -1;
    buf_printf(&text,
        "apiVersion: v1\nkind: Config\ncurrent-context: fake\n"
        "clusters:\n- name: fake\n  cluster:\n    server: %s\n    certificate-authority-data: ",
        url);
    put_base64(&text, buf_str(&ca), ca.len, false);
    buf_printf(&text, "\nusers:\n- name: fake\n  user:\n    token: %s\n", token ? token : "anything");
    buf_puts(&text, "contexts:\n- name: fake\n  context:\n    cluster: fake\n    user: fake\n    namespace: default\n");
    FILE *file = fopen(path, "we");
    bool ok = file && fwrite(buf_str(&text), 1, text.len, file) == text.len;
    ok = (!file || fclose(file) == 0) && ok;
    buf_done(&ca);
    buf_done(&text);
    return ok ? 0 : err_set(err, ERR_INVALID, "cannot write the kubeconfig %s: %s", path, strerror(errno));
}
