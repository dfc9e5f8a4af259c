/* An ARM client of the public cloud over a script. */
#pragma once

#include "azure/arm.h"
#include "fake_http.h"
#include "unit.h"

#include "json/json.h"

#define SUBSCRIPTION_ID "1c6e0f5c-8f3b-4a51-9f0e-0a2f7d6c1b11"
#define SUBSCRIPTION "/subscriptions/" SUBSCRIPTION_ID
#define ARM_URL "https://management.azure.com"

struct rig {
    struct fake_http *fake;
    struct azure_cloud *cloud;
    struct arm_client *arm;
};

static _unused_ void rig_open(struct rig *rig, const struct fake_answer *answers, size_t n)
{
    struct err err = ERR_INIT;

    *rig = (struct rig){.fake = fake_new(answers, n)};
    assert_int_equal(azure_cloud_new(&rig->cloud, &(struct azure_cloud_options){0}, &err), 0);
    const struct arm_options options = {.http = &rig->fake->client, .cloud = rig->cloud};
    assert_int_equal(arm_client_new(&rig->arm, &options, &err), 0);
}

static _unused_ void rig_close(struct rig *rig)
{
    arm_client_free(rig->arm);
    azure_cloud_free(rig->cloud);
    fake_free(rig->fake);
}

/* Every answer of the script was asked for, and nothing else. */
static _unused_ void rig_is_through(const struct rig *rig)
{
    assert_int_equal(rig->fake->n_seen, rig->fake->n_answers);
}

static _unused_ void says(const struct err *err, const char *words)
{
    if (!strstr(err->msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err->msg, words);
}

static _unused_ cJSON *tree_of(const char *text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(&tree, text, strlen(text), &err) < 0)
        fail_msg("%s: %s", err.msg, text);
    return tree;
}

#define FORBIDDEN_BODY                                                                                                 \
    "{\"error\":{\"code\":\"AuthorizationFailed\",\"message\":\"The client 'o' with object id 'o' does not have "      \
    "authorization to perform action 'A' over scope 'S' or the scope is invalid. If access was recently granted, "     \
    "please refresh your credentials.\"}}"
#define THROTTLED_BODY                                                                                                 \
    "{\"error\":{\"code\":\"SubscriptionRequestsThrottled\",\"message\":\"Number of 'read' requests for subscription " \
    "'s' actor 'o' exceeded. Please try again after '10' seconds.\"}}"
