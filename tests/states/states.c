/* Prints every state that the controller can publish: one JSON object a line, {sentence, rule, phase, reason, object}.
 *
 * The states are not written by hand: each is what cmk_conclude() makes of a situation of the rules' own test, encoded
 * as the controller encodes it. It fails when a row that publishes something has no situation. Two come first that no
 * row makes: an object that the controller has not seen, and one whose spec has changed since it looked. */
#include "unit.h"

#include "base/str.h"
#include "cmk/rules.h"
#include "controller/codec.h"
#include "situations.h"

#include <stdio.h>
#include <string.h>

static const char *phase_name(enum cmk_phase phase)
{
    static const char *const names[] = {"READY", "WORKING", "WAITING", "IDLE", "STALLED", "UNREACHABLE"};

    return (size_t)phase < ARRAY_LEN(names) ? names[phase] : "?";
}

static void put_spec(cJSON *object, const struct cmk_spec *spec)
{
    cJSON *to = json_add_object(object, "spec");

    json_add_string(to, "accountId", spec->account_id);
    json_add_string(to, "keyVaultKeyUri", spec->key_uri);
    json_add_string(to, "mode", spec->mode == CMK_OBSERVE ? "Observe" : "Enforce");
    json_add_string(to, "approval", spec->approval == CMK_MANUAL ? "Manual" : "Automatic");
    cJSON_AddBoolToObject(to, "suspend", spec->suspend);
}

static cJSON *object_of(const struct cmk_resource *resource)
{
    cJSON *object = cJSON_CreateObject();

    json_add_string(object, "apiVersion", CMK_GROUP "/" CMK_VERSION);
    json_add_string(object, "kind", CMK_KIND);
    cJSON *metadata = json_add_object(object, "metadata");
    json_add_string(metadata, "namespace", resource->ns);
    json_add_string(metadata, "name", resource->name);
    json_add_int(metadata, "generation", resource->generation);
    put_spec(object, &resource->spec);
    return object;
}

/* What a merge patch leaves behind: null takes a member away. */
static void drop_nulls(cJSON *tree)
{
    for (cJSON *child = tree->child, *next; child; child = next) {
        next = child->next;
        if (cJSON_IsNull(child))
            cJSON_Delete(cJSON_DetachItemViaPointer(tree, child));
        else
            drop_nulls(child);
    }
}

static void put_status(cJSON *object, const struct cmk_status *status)
{
    _cleanup_(json_freep) cJSON *patch = cmk_encode_status(status, NULL);
    cJSON *detached = cJSON_DetachItemFromObjectCaseSensitive(patch, "status");

    drop_nulls(detached);
    cJSON_AddItemToObject(object, "status", detached);
}

/* Takes the object. */
static void print_state(const char *sentence, const char *rule, const char *phase, const char *reason, cJSON *object)
{
    _cleanup_(json_freep) cJSON *state = cJSON_CreateObject();

    json_add_string(state, "sentence", sentence);
    json_add_string(state, "rule", rule);
    json_add_string(state, "phase", phase);
    json_add_string(state, "reason", reason);
    cJSON_AddItemToObject(state, "object", object);
    _cleanup_(freep) char *text = json_print(state);
    (void)puts(text);
}

static void print_unseen(void)
{
    _cleanup_(scene_done) struct scene scene;

    scene_init(&scene, "");
    cJSON *fresh = object_of(&scene.resource);
    /* The CRD's default: without it kstatus would take an object that nobody has looked at for one that is done. */
    json_add_int(json_add_object(fresh, "status"), "observedGeneration", -1);
    print_state("an object that the controller has not seen", "unseen", "UNSEEN", "", fresh);
}

static void print_changed(void)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;

    scene_init(&scene, "account has-key confirmed");
    cmk_next(&scene.view, &step);
    cmk_conclude(&scene.view, &step);
    scene.resource.generation++;
    cJSON *changed = object_of(&scene.resource);
    put_status(changed, &scene.view.status);
    print_state("Ready, and the spec has changed since", "unseen", "UNSEEN", "", changed);
}

static bool publishes(const struct cmk_rule *rule)
{
    return rule->effect == CMK_REST || rule->effect == CMK_WRITE_AHEAD;
}

/* Returns whether the row's situation publishes a status. */
static bool print_situation(const struct situation *situation)
{
    _cleanup_(scene_done) struct scene scene;
    struct cmk_step step;

    scene_init(&scene, situation->given);
    cmk_next(&scene.view, &step);
    if (step.effect != CMK_REST && step.effect != CMK_WRITE_AHEAD)
        return false;
    if (step.effect == CMK_WRITE_AHEAD)
        cmk_write_ahead(&scene.view, &step, "7d4b1b6e-6b64-4b3f-9c0e-0d5b1a8f2c11");
    cmk_conclude(&scene.view, &step);
    cJSON *object = object_of(&scene.resource);
    put_status(object, &scene.view.status);
    print_state(situation->sentence, step.rule, phase_name(step.phase), cmk_reason_text(step.reason)->word, object);
    return true;
}

int main(void)
{
    int missing = 0;

    print_unseen();
    print_changed();
    for (size_t r = 0; cmk_rule_at(r); r++) {
        const struct cmk_rule *rule = cmk_rule_at(r);
        bool seen = false;
        for (size_t i = 0; i < n_situations; i++)
            if (str_eq(situations[i].rule, rule->name))
                seen |= print_situation(&situations[i]);
        if (publishes(rule) && !seen) {
            (void)fprintf(stderr, "published-states: no situation makes the row %s publish its state\n", rule->name);
            missing++;
        }
    }
    return missing > 0;
}
