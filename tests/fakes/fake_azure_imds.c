/* The instance metadata service of a machine with managed identities, over plain HTTP.
 *
 * The machine has the system-assigned identity and every user-assigned identity that the model knows. Strict where a
 * client could be sloppy: the header Metadata, no X-Forwarded-For (nobody may ask on behalf of others). */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <string.h>

#define TOKEN_MAX 8192
#define SYSTEM_ASSIGNED "system-assigned identity of this machine"

static void refuse(struct azure_request *r, int status, const char *error, const char *description)
{
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();

    json_add_string(tree, "error", error);
    json_add_string(tree, "error_description", description);
    fake_reply_json(r->reply, status, tree);
    fake_reply_header(r->reply, "content-type", "application/json; charset=utf-8");
    fake_reply_header(r->reply, "server", "IMDS/150.870.65.1854");
}

/* The client id of the identity that is asked for. False: there is no such identity. */
static bool find_identity(struct azure_request *r, char ret[static AZURE_GUID_SIZE])
{
    char client_id[128] = "", resource_id[1024] = "", principal[AZURE_GUID_SIZE];

    (void)httpd_query(r->http, "client_id", client_id, sizeof(client_id));
    (void)httpd_query(r->http, "msi_res_id", resource_id, sizeof(resource_id));
    if (!*client_id && !*resource_id) {
        azure_model_guid(r->azure->model, SYSTEM_ASSIGNED, ret);
        return true;
    }
    map_foreach (entry, &r->azure->model->resources) {
        if (!str_find_nocase(entry->key, "/userassignedidentities/"))
            continue;
        azure_model_identity_ids(r->azure->model, entry->key, principal, ret);
        if (str_eq_nocase(ret, client_id) || str_eq_nocase(entry->key, resource_id))
            return true;
    }
    return false;
}

static void issue(struct azure_request *r, const char *resource)
{
    _cleanup_(buf_done) struct buf token = BUF_INIT(TOKEN_MAX);
    char client_id[AZURE_GUID_SIZE];
    long long seconds = (long long)((r->azure->token_ms + 999) / 1000), now_s = (long long)(r->now_ms / 1000);

    if (!find_identity(r, client_id)) {
        refuse(r, 400, "invalid_request", "Identity not found");
        return;
    }
    azure_put_token(r, resource, client_id, &token);
    r->reply->status = 200;
    buf_printf(&r->reply->body, "{\"access_token\":\"%s\",\"client_id\":\"%s\",\"expires_in\":\"%lld\",",
        buf_str(&token), client_id, seconds);
    buf_printf(&r->reply->body, "\"expires_on\":\"%lld\",\"ext_expires_in\":\"%lld\",\"not_before\":\"%lld\",",
        now_s + seconds, seconds, now_s);
    buf_puts(&r->reply->body, "\"resource\":");
    buf_put_json_string(&r->reply->body, resource, strlen(resource));
    buf_puts(&r->reply->body, ",\"token_type\":\"Bearer\"}");
    fake_reply_header(r->reply, "content-type", "application/json; charset=utf-8");
}

void azure_imds(struct azure_request *r)
{
    char version[32] = "", resource[1024] = "";

    (void)httpd_query(r->http, "api-version", version, sizeof(version));
    (void)httpd_query(r->http, "resource", resource, sizeof(resource));
    if (!azure_path_is(r, "metadata/identity/oauth2/token") || !str_eq(r->http->method, "GET"))
        refuse(r, 404, "not_found", "fake-azure's instance metadata service has tokens only");
    else if (!str_eq_nocase(httpd_request_header(r->exchange, "metadata"), "true"))
        refuse(r, 400, "invalid_request", "Required metadata header not specified");
    else if (httpd_request_header(r->exchange, "x-forwarded-for"))
        refuse(r, 400, "invalid_request", "X-Forwarded-For is not allowed (text of fake-azure)");
    else if (!str_eq(version, "2018-02-01"))
        refuse(r, 400, "invalid_request", "Required query parameter 'api-version' missing or unknown");
    else if (!*resource)
        refuse(r, 400, "invalid_resource", "Required audience parameter not specified");
    else
        issue(r, resource);
}
