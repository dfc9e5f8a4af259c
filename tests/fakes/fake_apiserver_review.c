/* TokenReview and SubjectAccessReview: what is asked and not stored.
 *
 * A token is known when it is one that this server made (fake_apiserver_token.c) for a ServiceAccount that exists and
 * has not expired; signatures there are none. Access is judged for non-resource paths only, by the ClusterRoles and
 * ClusterRoleBindings that are stored: no aggregation, no namespaced roles, no built-in roles. */
#include "fakes/fake_apiserver.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

#define SERVICE_ACCOUNTS "/serviceaccounts"
#define ROLES "rbac.authorization.k8s.io/clusterroles"
#define BINDINGS "rbac.authorization.k8s.io/clusterrolebindings"
#define SUBJECT_PREFIX "system:serviceaccount:"

/* ---- tokens ---- */

/* RFC 4648 5, without padding; false when it is none. */
static bool decode_base64url(const char *text, size_t len, struct buf *ret)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0;
    int n_bits = 0;

    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] ? strchr(letters, text[i]) : NULL;
        if (!at)
            return false;
        bits = (bits << 6 | (unsigned)(at - letters)) & 0xffff;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            buf_putc(ret, (char)(bits >> n_bits & 0xff));
        }
    }
    return true;
}

/* The middle part of a token, or NULL. */
static cJSON *claims_of(const char *token)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(65536);
    const char *begin = token ? strchr(token, '.') : NULL, *end = begin ? strchr(begin + 1, '.') : NULL;
    cJSON *claims = NULL;

    if (!end || !decode_base64url(begin + 1, (size_t)(end - begin - 1), &text) ||
        json_parse(&claims, buf_str(&text), text.len, NULL) < 0)
        return NULL;
    return claims;
}

/* "NAMESPACE/NAME" of the ServiceAccount in sub, the caller's, or NULL. */
static char *account_key(const char *subject)
{
    if (!subject || !str_has_prefix(subject, SUBJECT_PREFIX))
        return NULL;
    char *key = xstrdup(subject + strlen(SUBJECT_PREFIX)), *colon = strchr(key, ':');
    if (colon)
        *colon = '/';
    return key;
}

static cJSON *stored(const struct api *api, const char *collection, const char *key)
{
    const struct store_value *value = key ? store_get(api->store, collection, key) : NULL;

    return value ? api_parse(value) : NULL;
}

static void add_groups(cJSON *user, const char *key)
{
    _cleanup_(freep) char *ns = xstrndup(key, strcspn(key, "/"));
    _cleanup_(freep) char *of_ns = xasprintf("system:serviceaccounts:%s", ns);
    cJSON *groups = json_add_array(user, "groups");

    cJSON_AddItemToArray(groups, cJSON_CreateString("system:serviceaccounts"));
    cJSON_AddItemToArray(groups, cJSON_CreateString(of_ns));
    cJSON_AddItemToArray(groups, cJSON_CreateString("system:authenticated"));
}

static void judge_token(struct api_request *r, const char *token, cJSON *status)
{
    _cleanup_(json_freep) cJSON *claims = claims_of(token);
    const char *subject = json_string_at(claims, "sub");
    _cleanup_(freep) char *key = account_key(subject);
    _cleanup_(json_freep) cJSON *account = stored(r->api, SERVICE_ACCOUNTS, key);
    cJSON *user = json_add_object(status, "user");
    int64_t expires_s = 0;

    (void)json_int(json_at(claims, "exp"), false, &expires_s);
    if (!account || expires_s * 1000 <= fake_core_now(r->api->core)) {
        json_add_string(status, "error", "[invalid bearer token, token lookup failed]");
        return;
    }
    cJSON_AddTrueToObject(status, "authenticated");
    json_add_string(user, "username", subject);
    json_add_string(user, "uid", json_string_at(account, "metadata.uid"));
    add_groups(user, key);
    if (json_at(claims, "aud"))
        cJSON_AddItemToObject(status, "audiences", cJSON_Duplicate(json_at(claims, "aud"), true));
}

/* ---- access ---- */

static bool holds(const cJSON *list, const char *word)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        const char *s = cJSON_IsString(item) ? item->valuestring : "";
        size_t len = strlen(s);
        if (str_eq(s, word) || (len && s[len - 1] == '*' && word && strncmp(s, word, len - 1) == 0))
            return true;
    }
    return false;
}

static bool role_allows(const struct api *api, const char *name, const cJSON *attributes)
{
    _cleanup_(json_freep) cJSON *role = stored(api, ROLES, name);
    const cJSON *rule;

    cJSON_ArrayForEach (rule, json_at(role, "rules"))
        if (holds(json_at(rule, "nonResourceURLs"), json_string_at(attributes, "path")) &&
            holds(json_at(rule, "verbs"), json_string_at(attributes, "verb")))
            return true;
    return false;
}

static bool is_subject(const cJSON *subject, const cJSON *spec)
{
    const char *kind = json_string_at(subject, "kind"), *name = json_string_at(subject, "name");
    const char *ns = json_string_at(subject, "namespace"), *user = json_string_at(spec, "user");
    _cleanup_(freep) char *account = xasprintf(SUBJECT_PREFIX "%s:%s", ns ? ns : "", name ? name : "");

    if (str_eq(kind, "ServiceAccount"))
        return str_eq(user, account);
    return str_eq(kind, "Group") ? holds(json_at(spec, "groups"), name) : str_eq(user, name);
}

static bool binding_allows(const struct api *api, const cJSON *binding, const cJSON *spec)
{
    const cJSON *subject;

    cJSON_ArrayForEach (subject, json_at(binding, "subjects"))
        if (is_subject(subject, spec) && str_eq(json_string_at(binding, "roleRef.kind"), "ClusterRole") &&
            role_allows(api, json_string_at(binding, "roleRef.name"), json_at(spec, "nonResourceAttributes")))
            return true;
    return false;
}

static void judge_access(struct api_request *r, const cJSON *spec, cJSON *status)
{
    struct store_list bindings;
    bool allowed = false;

    store_list(r->api->store, BINDINGS, "", NULL, r->api->store->version, &bindings);
    for (size_t i = 0; i < bindings.len && !allowed; i++) {
        _cleanup_(json_freep) cJSON *binding = api_parse(bindings.items[i].value);
        allowed = binding_allows(r->api, binding, spec);
    }
    store_list_done(&bindings);
    cJSON_AddBoolToObject(status, "allowed", allowed);
}

/* ---- requests ---- */

bool api_review(struct api_request *r, const char *group, const char *version, const char *plural)
{
    bool token = str_eq(group, "authentication.k8s.io") && str_eq(plural, "tokenreviews");
    bool access = str_eq(group, "authorization.k8s.io") && str_eq(plural, "subjectaccessreviews");

    if ((!token && !access) || !str_eq(version, "v1") || !str_eq(r->http->method, "POST"))
        return false;
    _cleanup_(json_freep) cJSON *object = api_body(r);
    if (!object)
        return true;
    cJSON_DeleteItemFromObjectCaseSensitive(object, "status");
    cJSON *status = json_add_object(object, "status");
    if (token)
        judge_token(r, json_string_at(object, "spec.token"), status);
    else
        judge_access(r, json_at(object, "spec"), status);
    fake_reply_json(r->reply, 201, object);
    return true;
}
