/* What the tests ask of the API server, and of the fakes' inspection APIs. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/crash.h"

#include <string.h>

#define POLL_MS 20

static const struct kube_resource cosmoscmks = {.group = "cosmoscmk.io", .version = "v1", .plural = "cosmoscmks"};

static cJSON *parse(const char *text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(&tree, text, strlen(text), &err) < 0)
        fail_msg("%s: %s", err.msg, text);
    return tree;
}

/* ---- resources ---- */

void resource_create(struct world *w, const char *name, const char *account, const char *spec)
{
    _cleanup_(freep) char *text =
        xasprintf("{\"apiVersion\":\"cosmoscmk.io/v1\",\"kind\":\"CosmosCMK\",\"metadata\":{\"name\":\"%s\"},\"spec\":{"
                  "\"accountId\":\"" ACCOUNT_ID("%s") "\"%s%s%s}}",
            name, account, spec && strstr(spec, "keyVaultKeyUri") ? "" : ",\"keyVaultKeyUri\":\"" KEY "\"",
            spec ? "," : "", spec ? spec : "");
    _cleanup_(json_freep) cJSON *object = parse(text), *answer = NULL;
    struct err err = ERR_INIT;

    if (kube_create(the_kube(), &cosmoscmks, w->ns, object, &answer, &err) < 0)
        fail_msg("%s cannot be created: %s", name, err.msg);
}

void resource_patch(struct world *w, const char *name, const char *patch)
{
    _cleanup_(json_freep) cJSON *object = parse(patch), *answer = NULL;
    struct err err = ERR_INIT;

    if (kube_merge_patch(the_kube(), &cosmoscmks, w->ns, name, NULL, object, &answer, &err) < 0)
        fail_msg("%s cannot be patched: %s", name, err.msg);
}

void resource_delete(struct world *w, const char *name)
{
    struct err err = ERR_INIT;

    if (kube_delete(the_kube(), &cosmoscmks, w->ns, name, &err) < 0)
        fail_msg("%s cannot be deleted: %s", name, err.msg);
}

cJSON *resource_get(struct world *w, const char *name)
{
    struct err err = ERR_INIT;
    cJSON *object = NULL;

    if (kube_get(the_kube(), &cosmoscmks, w->ns, name, &object, &err) < 0)
        fail_msg("%s cannot be read: %s", name, err.msg);
    return object;
}

const cJSON *condition_of(const cJSON *object, const char *type)
{
    const cJSON *condition;

    cJSON_ArrayForEach (condition, json_at(object, "status.conditions"))
        if (str_eq(json_string_at(condition, "type"), type))
            return condition;
    return NULL;
}

static bool is_current(const cJSON *object)
{
    int64_t generation = 0, observed = -1;

    (void)json_int(json_at(object, "metadata.generation"), false, &generation);
    (void)json_int(json_at(object, "status.observedGeneration"), false, &observed);
    return generation == observed;
}

cJSON *await_object(struct world *w, const char *name, bool (*fits)(const cJSON *object, const void *arg),
    const void *arg, const char *what)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    for (;;) {
        _cleanup_(json_freep) cJSON *object = resource_get(w, name);
        if (fits(object, arg))
            return TAKE_PTR(object);
        if (w->controller && process_wait(w->controller, 0, NULL))
            fail_msg("the controller ended while %s was expected of %s", what, name);
        if (clock_mono_ms() >= deadline) {
            _cleanup_(freep) char *text = json_print(json_at(object, "status"));
            fail_msg("%s is not %s: %s", name, what, text);
        }
        clock_sleep_ms(POLL_MS);
    }
}

static bool has_reason(const cJSON *object, const void *reason)
{
    return is_current(object) && str_eq(json_string_at(condition_of(object, "Ready"), "reason"), reason);
}

cJSON *await_reason(struct world *w, const char *name, const char *reason)
{
    return await_object(w, name, has_reason, reason, reason);
}

void await_end(struct world *w, const char *name, const char *reason)
{
    _cleanup_(json_freep) cJSON *object = await_reason(w, name, reason);

    assert_non_null(object);
}

void assert_condition(
    const cJSON *object, const char *type, const char *status, const char *reason, const char *fragment)
{
    const cJSON *condition = condition_of(object, type);
    const char *message = json_string_at(condition, "message");

    if (!condition)
        fail_msg("there is no condition %s", type);
    assert_string_equal(json_string_at(condition, "status"), status);
    assert_string_equal(json_string_at(condition, "reason"), reason);
    if (fragment && (!message || !strstr(message, fragment)))
        fail_msg("the message of %s does not contain \"%s\": %s", type, fragment, message);
}

void assert_member(const cJSON *object, const char *path, const char *expected)
{
    const char *value = json_string_at(object, path);

    if (!str_eq(value, expected))
        fail_msg("%s is %s and not %s", path, value ? value : "absent", expected ? expected : "absent");
}

/* ---- inspection ---- */

static cJSON *ask(const char *base, const char *ca_file, const char *method, const char *path, const char *body)
{
    _cleanup_(buf_done) struct buf pem = BUF_INIT(65536);
    _cleanup_(http_tls_unrefp) struct http_tls *tls = NULL;
    _cleanup_(http_response_done) struct http_response response;
    _cleanup_(freep) char *url = xasprintf("%s%s", base, path);
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    http_response_init(&response);
    assert_int_equal(file_read(ca_file, &pem, &err), 0);
    const struct http_tls_options options = {.ca_pem = buf_str(&pem)};
    assert_int_equal(http_tls_new(&tls, &options, &err), 0);
    const struct http_request request = {.method = method,
        .url = url,
        .headers = {{"content-type", "application/json"}},
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .max_body = 64 << 20,
        .tls = tls};
    if (http_do(the_http(), &request, &response, &err) < 0)
        fail_msg("%s %s: %s", method, path, err.msg);
    if (response.status / 100 != 2)
        fail_msg("%s %s: %d %s", method, path, response.status, buf_str(&response.body));
    if (response.body.len && json_parse(&tree, response.body.data, response.body.len, &err) < 0)
        return NULL;
    return tree;
}

cJSON *azure_ask(struct world *w, const char *method, const char *path, const char *body)
{
    return ask(w->azure_url, w->azure_ca, method, path, body);
}

cJSON *apiserver_ask(const char *method, const char *path, const char *body)
{
    return ask(the_apiserver()->fake_url, the_apiserver()->fake_ca, method, path, body);
}

void azure_fault(struct world *w, const char *rule)
{
    json_free(azure_ask(w, "POST", "/fake/faults", rule));
}

void azure_heal(struct world *w)
{
    json_free(azure_ask(w, "DELETE", "/fake/faults", NULL));
}

static char *journal_path(const char *method, const char *path_contains)
{
    return xasprintf("/fake/requests?pathContains=%s%s%s", path_contains ? path_contains : "", method ? "&method=" : "",
        method ? method : "");
}

cJSON *azure_journal(struct world *w, const char *method, const char *path_contains)
{
    _cleanup_(freep) char *path = journal_path(method, path_contains);
    cJSON *journal = azure_ask(w, "GET", path, NULL);

    crash_forget_killed(journal);
    return journal;
}

int azure_count(struct world *w, const char *method, const char *path_contains)
{
    _cleanup_(json_freep) cJSON *journal = azure_journal(w, method, path_contains);

    return cJSON_GetArraySize(journal);
}

void azure_await_count(struct world *w, const char *method, const char *path_contains, int at_least)
{
    int64_t deadline = clock_mono_ms() + WAIT_MS;

    while (azure_count(w, method, path_contains) < at_least) {
        if (clock_mono_ms() >= deadline)
            fail_msg("fake-azure has seen fewer than %d requests %s for %s", at_least, method ? method : "of any kind",
                path_contains ? path_contains : "anything");
        clock_sleep_ms(POLL_MS);
    }
}

int azure_patches(struct world *w, const char *account)
{
    return azure_count(w, "PATCH", account);
}

int apiserver_count(struct world *w, const char *method)
{
    _cleanup_(freep) char *resources = xasprintf("%s/cosmoscmks", w->ns), *path = journal_path(method, resources);
    _cleanup_(json_freep) cJSON *journal = apiserver_ask("GET", path, NULL);

    return cJSON_GetArraySize(journal);
}
