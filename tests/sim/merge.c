/* A merge patch as the API server applies it. */
#include "sim/world.h"

void json_merge(cJSON *target, const cJSON *patch)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, patch) {
        cJSON *held = cJSON_GetObjectItemCaseSensitive(target, item->string);
        if (cJSON_IsObject(item)) {
            if (!cJSON_IsObject(held)) {
                cJSON_DeleteItemFromObjectCaseSensitive(target, item->string);
                held = cJSON_AddObjectToObject(target, item->string);
            }
            json_merge(held, item);
            continue;
        }
        cJSON_DeleteItemFromObjectCaseSensitive(target, item->string);
        if (!cJSON_IsNull(item))
            cJSON_AddItemToObject(target, item->string, cJSON_Duplicate(item, true));
    }
}
