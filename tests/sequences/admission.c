/* Every generated value against a real API server: what the schema and its rules (CEL) make of it is what the generator
 * says, at a create and at an update, and what the controller says by itself.
 *
 * Then mutants of every text with a rule (one byte taken away, put in or changed at each place), of which nothing is
 * known but that API server and controller must agree. All requests are dry runs over one connection. Needs KUBECONFIG;
 * admission.sh starts a server. */
#include "unit.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "http/http.h"
#include "kube/client.h"
#include "sequences/values.h"
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACE "default"
#define NAME "sequences"
#define PATH "/apis/cosmoscmk.io/v1/namespaces/" NAMESPACE "/cosmoscmks"

static struct http_engine *engine;
static struct kube_config *config;
static struct http_tls *tls;
static cJSON *crd, *base;
static const cJSON *schema;
static struct values values;
static char *version; /* of the object that is there */
static struct buf refusals;
static size_t requests, differences;

/* ---- the API server ---- */

static int ask(const char *method, const char *path, const cJSON *object, struct buf *answer)
{
    _cleanup_(freep) char *url = xasprintf("%s%s", config->server, path), *body = json_print(object);
    _cleanup_(http_response_done) struct http_response response;
    const struct http_request request = {.method = method,
        .url = url,
        .headers = {{"content-type", "application/json"}},
        .body = body,
        .body_len = strlen(body),
        .tls = tls,
        .label = "admission"};
    struct err err = ERR_INIT;

    requests++;
    if (http_do(http_engine_client(engine), &request, &response, &err) < 0)
        fail_msg("%s", err.msg);
    buf_clear(answer);
    buf_puts(answer, buf_str(&response.body));
    return response.status;
}

static cJSON *object_of(const char *name, const cJSON *spec)
{
    cJSON *object = cJSON_CreateObject();

    json_add_string(object, "apiVersion", "cosmoscmk.io/v1");
    json_add_string(object, "kind", "CosmosCMK");
    json_add_string(json_add_object(object, "metadata"), "name", name);
    if (spec)
        cJSON_AddItemToObject(object, "spec", cJSON_Duplicate(spec, true));
    return object;
}

/* A refusal must be a judgement of the object; anything else is an accident. */
static bool is_accepted(int status, const struct buf *answer)
{
    if (status == 200 || status == 201)
        return true;
    if (status != 422 && status != 400)
        fail_msg("the API server says %d: %s", status, buf_str(answer));
    buf_puts(&refusals, buf_str(answer));
    return false;
}

static bool creates(const cJSON *spec, struct buf *answer)
{
    _cleanup_(json_freep) cJSON *object = object_of("new", spec);

    return is_accepted(ask("POST", PATH "?dryRun=All&fieldValidation=Ignore", object, answer), answer);
}

static bool updates(const cJSON *spec, struct buf *answer)
{
    _cleanup_(json_freep) cJSON *object = object_of(NAME, spec);

    json_add_string(cJSON_GetObjectItemCaseSensitive(object, "metadata"), "resourceVersion", version);
    return is_accepted(ask("PUT", PATH "/" NAME "?dryRun=All&fieldValidation=Ignore", object, answer), answer);
}

/* ---- setup ---- */

static int connect_to(struct err *err)
{
    const struct kube_config_options where = {.kubeconfig = NULL};
    const struct http_engine_options options = {.user_agent = "cosmoscmk-sequences"};

    if (kube_config_load(&config, &where, err) < 0 || http_engine_new(&engine, &options, err) < 0)
        return -1;
    const struct http_tls_options trust = {.ca_pem = config->ca_pem,
        .client_cert_pem = config->client_cert_pem,
        .client_key_pem = secret_reveal(config->client_key_pem)};
    return http_tls_new(&tls, &trust, err);
}

/* The CRD is applied by admission.sh. */
static int put_base(struct err *err)
{
    _cleanup_(buf_done) struct buf answer = BUF_INIT(1 << 20);
    _cleanup_(json_freep) cJSON *object = object_of(NAME, base), *tree = NULL;
    int status = ask("POST", PATH, object, &answer);

    if (status != 201 || json_parse(&tree, buf_str(&answer), answer.len, err) < 0)
        return err_set(err, ERR_INVALID, "the base is refused with %d: %s", status, buf_str(&answer));
    version = xstrdup(json_string_at(tree, "metadata.resourceVersion"));
    return 0;
}

static int setup(void **state _unused_)
{
    struct err err = ERR_INIT;

    refusals = BUF_INIT(256 << 20);
    base = values_base();
    if (schema_read(&crd, &schema, &err) == 0 && values_make(&values, schema, &err) == 0 && connect_to(&err) == 0 &&
        put_base(&err) == 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static int teardown(void **state _unused_)
{
    values_done(&values);
    base = json_free(base);
    crd = json_free(crd);
    tls = http_tls_unref(tls);
    config = kube_config_free(config);
    engine = http_engine_free(engine);
    buf_done(&refusals);
    free(version);
    (void)printf("%zu requests\n", requests);
    return 0;
}

/* ---- tests ---- */

static void differs(const char *what, const char *path, const cJSON *spec, const char *answer)
{
    _cleanup_(freep) char *text = json_print(spec);

    (void)fprintf(stderr, "%s: %s\n  spec: %.1000s\n  API server: %.500s\n", path, what, text ? text : "none", answer);
    differences++;
}

static void every_value_is_judged_as_the_generator_says(void **state _unused_)
{
    _cleanup_(buf_done) struct buf answer = BUF_INIT(1 << 20);

    differences = 0;
    for (size_t i = 0; i < values.n; i++) {
        const struct value *v = &values.v[i];
        _cleanup_(json_freep) cJSON *spec = value_in(v, base);
        _cleanup_(freep) char *text = value_text(v);
        if (creates(spec, &answer) != v->accepted)
            differs(v->accepted ? "is refused at create" : "is accepted at create", text, spec, buf_str(&answer));
        if (updates(spec, &answer) != (v->accepted && !v->moves))
            differs(v->accepted ? "is refused at update" : "is accepted at update", text, spec, buf_str(&answer));
    }
    assert_int_equal(differences, 0);
}

/* Of every rule in the schema, the sentence has been heard: no rule is without a value that it refuses. */
static void expect_heard(const cJSON *node, size_t *rules)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, json_member(node, "x-kubernetes-validations")) {
        const char *message = json_string_at(item, "message");
        /* The server escapes what HTML does not like: the words up to there are enough. */
        _cleanup_(freep) char *words = xstrndup(message, strcspn(message, "<>&\""));
        if (!strstr(buf_str(&refusals), words))
            fail_msg("no value is refused with: %s", message);
        ++*rules;
    }
    cJSON_ArrayForEach (item, json_member(node, "properties"))
        expect_heard(item, rules);
    if (json_member(node, "items"))
        expect_heard(json_member(node, "items"), rules);
}

static void every_rule_has_refused_something(void **state _unused_)
{
    size_t rules = 0;

    expect_heard(schema, &rules);
    assert_int_equal(rules, values.rules);
}

/* ---- mutants ---- */

static const struct value *a_good_one(const struct samples *samples, size_t which)
{
    size_t n = 0;

    for (size_t i = 0; i < values.n; i++)
        if (str_eq(values.v[i].path, samples->path) && str_has_prefix(values.v[i].what, "sample ") && n++ == which)
            return &values.v[i];
    return NULL;
}

/* The value with another text where its own stands. */
static cJSON *spec_with(const struct value *good, const char *old, const char *text)
{
    _cleanup_(json_freep) cJSON *spec = value_in(good, base);
    _cleanup_(freep) char *printed = json_print(spec);
    _cleanup_(buf_done) struct buf from = BUF_INIT(65536), to = BUF_INIT(65536), whole = BUF_INIT(1 << 20);
    cJSON *mutant = NULL;
    struct err err = ERR_INIT;

    buf_put_json_string(&from, old, strlen(old));
    buf_put_json_string(&to, text, strlen(text));
    const char *at = strstr(printed, buf_str(&from));
    assert_non_null(at);
    buf_add(&whole, printed, (size_t)(at - printed));
    buf_puts(&whole, buf_str(&to));
    buf_puts(&whole, at + from.len);
    assert_int_equal(json_parse(&mutant, buf_str(&whole), whole.len, &err), 0);
    return mutant;
}

static size_t mutants;

/* Where the server says yes the controller may still know better (time zones, see the list of differences). */
static void expect_agreement(const struct samples *samples, const cJSON *spec)
{
    _cleanup_(buf_done) struct buf answer = BUF_INIT(1 << 20);
    struct err why = ERR_INIT;
    bool accepted = creates(spec, &answer);
    enum own own = own_verdict(spec, &why);

    mutants++;
    if (accepted == (own == OWN_ACCEPTS) || (accepted && str_eq(samples->path, "window.timeZone")))
        return;
    differs(accepted ? "the controller refuses it" : "the controller accepts it", samples->path, spec,
        accepted ? why.msg : buf_str(&answer));
}

static void mutate(const struct samples *samples, const struct value *good, const char *text)
{
    static const char *const put_in[] = {"-", "/", ".", "A", "z", "0", " ", "%", "\xc3\xa9", "_"};

    for (size_t at = 0; at <= strlen(text); at++)
        for (size_t k = 0; k < 2 * ARRAY_LEN(put_in) + 1; k++) {
            bool replaces = k >= ARRAY_LEN(put_in);
            const char *more = k == 2 * ARRAY_LEN(put_in) ? "" : put_in[k % ARRAY_LEN(put_in)];
            if (replaces && !text[at])
                continue;
            if (strlen(text) > 40 && (at + k) % 4) /* a long one is thinned out */
                continue;
            _cleanup_(freep) char *mutant = xasprintf("%.*s%s%s", (int)at, text, more, text + at + replaces);
            _cleanup_(json_freep) cJSON *spec = spec_with(good, text, mutant);
            expect_agreement(samples, spec);
        }
}

static void controller_and_api_server_agree_on_mutants(void **state _unused_)
{
    differences = mutants = 0;
    for (size_t i = 0; samples_at(i); i++)
        for (size_t k = 0; samples_at(i)->valid[0] && k < 3 && samples_at(i)->valid[k]; k++)
            mutate(samples_at(i), a_good_one(samples_at(i), k), samples_at(i)->valid[k]);
    (void)printf("%zu mutants\n", mutants);
    assert_int_equal(differences, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_judged_as_the_generator_says),
        cmocka_unit_test(every_rule_has_refused_something),
        cmocka_unit_test(controller_and_api_server_agree_on_mutants),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
