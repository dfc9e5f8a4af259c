/* The generator knows all of the schema, says so when it does not, and the controller judges every value as the API
 * server is to judge it (admission.c asks a real one). */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "sequences/values.h"
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

static cJSON *crd;
static const cJSON *schema;
static struct values values;

static int setup(void **state _unused_)
{
    struct err err = ERR_INIT;

    if (schema_read(&crd, &schema, &err) == 0 && values_make(&values, schema, &err) == 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.msg);
    return -1;
}

static int teardown(void **state _unused_)
{
    values_done(&values);
    crd = json_free(crd);
    return 0;
}

static void every_field_has_values_of_both_kinds(void **state _unused_)
{
    size_t accepted = 0, n = 0;

    for (size_t i = 0; samples_at(i); i++) {
        bool good = false, bad = false;
        for (size_t k = 0; k < values.n; k++)
            if (str_eq(values.v[k].path, samples_at(i)->path)) {
                good = good || values.v[k].accepted;
                bad = bad || !values.v[k].accepted;
            }
        if (!good || !bad)
            fail_msg("spec.%s has no %s value", samples_at(i)->path, good ? "bad" : "good");
        n++;
    }
    for (size_t k = 0; k < values.n; k++)
        accepted += values.v[k].accepted;
    assert_int_equal(n, values.fields);
    (void)printf("%zu fields, %zu rules, %zu values: %zu accepted, %zu refused\n", values.fields, values.rules,
        values.n, accepted, values.n - accepted);
}

/* A schema that says something new must not pass as if nothing had been said. */
static void what_is_new_in_the_schema_is_an_error(void **state _unused_)
{
    static const struct {
        const char *at, *add, *words;
    } rows[] = {
        {"properties.mode", "{\"pattern\":\"^E\"}", "the keyword \"pattern\""},
        {"properties.priority", "{\"multipleOf\":10}", "the keyword \"multipleOf\""},
        {"properties.window", "{\"maxProperties\":2}", "the keyword \"maxProperties\""},
        {"", "{\"properties\":{\"colour\":{\"type\":\"string\",\"maxLength\":9}}}", "the field \"colour\""},
        {"properties.window.properties.periods.items",
            "{\"properties\":{\"end\":{\"type\":\"string\",\"maxLength\":9}}}", "the field \"window.periods[].end\""},
        {"properties.drift", "{\"x-kubernetes-validations\":[{\"rule\":\"true\"}]}", "the number of rules \"1\""},
        {"properties.approvedPlan", "{\"format\":\"uuid\"}", "the format \"uuid\""},
        {"properties.approvedPlan", "{\"maxLength\":null}", "\"maxLength\""},
        {"properties.priority", "{\"format\":\"int64\"}", "an integer of another format"},
        {"properties.priority", "{\"type\":\"number\"}", "the type \"number\""},
        {"properties.window.properties.periods", "{\"x-kubernetes-list-type\":\"map\"}", "the list type \"map\""},
        {"properties.window.properties.periods", "{\"maxItems\":null}", "\"maxItems\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(json_freep) cJSON *other = cJSON_Duplicate(schema, true), *add = NULL;
        _cleanup_(values_done) struct values made;
        struct err err = ERR_INIT;
        assert_int_equal(json_parse(&add, rows[i].add, strlen(rows[i].add), &err), 0);
        json_merge(rows[i].at[0] ? (cJSON *)json_at(other, rows[i].at) : other, add);
        if (values_make(&made, other, &err) == 0 || !strstr(err.msg, rows[i].words))
            fail_msg("%s at \"%s\": %s", rows[i].add, rows[i].at, err.msg[0] ? err.msg : "nothing was said");
    }
}

static void a_field_that_is_gone_leaves_no_samples_behind(void **state _unused_)
{
    _cleanup_(json_freep) cJSON *other = cJSON_Duplicate(schema, true);
    _cleanup_(values_done) struct values made;
    struct err err = ERR_INIT;

    cJSON_DeleteItemFromObject((cJSON *)json_at(other, "properties"), "drift");
    assert_int_equal(values_make(&made, other, &err), -1);
    assert_non_null(strstr(err.msg, "spec.drift, which is no field"));
}

static void the_controller_judges_every_value_as_the_schema_does(void **state _unused_)
{
    _cleanup_(json_freep) cJSON *base = values_base();
    size_t wrong = 0;

    for (size_t i = 0; i < values.n; i++) {
        const struct value *v = &values.v[i];
        _cleanup_(json_freep) cJSON *spec = value_in(v, base);
        struct err why = ERR_INIT;
        enum own own = own_verdict(spec, &why);
        if (own == v->own && (own == OWN_ACCEPTS || why.msg[0]))
            continue;
        _cleanup_(freep) char *text = value_text(v);
        (void)fprintf(stderr, "%s: the controller says %s (%s), expected was %s\n", text, own_name(own), why.msg,
            own_name(v->own));
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void every_difference_on_the_list_is_one(void **state _unused_)
{
    for (size_t i = 0; difference_at(i); i++) {
        const struct difference *d = difference_at(i);
        size_t k = 0;
        while (k < values.n && !(str_eq(values.v[k].path, d->path) && str_eq(values.v[k].what, d->what)))
            k++;
        if (k == values.n)
            fail_msg("there is no value %s of spec.%s", d->what, d->path);
        if (values.v[k].accepted == (d->own == OWN_ACCEPTS))
            fail_msg("%s of spec.%s is no difference", d->what, d->path);
    }
}

static void a_spec_with_every_field_is_accepted(void **state _unused_)
{
    struct err why = ERR_INIT;

    if (own_verdict(values.full, &why) != OWN_ACCEPTS)
        fail_msg("%s", why.msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_has_values_of_both_kinds),
        cmocka_unit_test(what_is_new_in_the_schema_is_an_error),
        cmocka_unit_test(a_field_that_is_gone_leaves_no_samples_behind),
        cmocka_unit_test(the_controller_judges_every_value_as_the_schema_does),
        cmocka_unit_test(every_difference_on_the_list_is_one),
        cmocka_unit_test(a_spec_with_every_field_is_accepted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
