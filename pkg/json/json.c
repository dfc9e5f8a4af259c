/* Ownership of trees, and the trees that we build ourselves.
 *
 * cJSON is told once, before main, to allocate with xmalloc: a NULL from it then means bad input and never a lack of
 * memory, which is why the builders cannot fail. Nothing here reads what a peer sent. */
#include "json/json.h"

#include "base/fatal.h"
#include "base/mem.h"

#include <stdio.h>

/* Below this cJSON prints whole numbers digit by digit; above it compares with a tolerance and loses the last ones. */
#define EXACT_IN_PRINT 1000000000000000LL

__attribute__((constructor)) static void install_hooks(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = xmalloc, .free_fn = free});
}

cJSON *json_free(cJSON *tree)
{
    cJSON_Delete(tree);
    return NULL;
}

char *json_print(const cJSON *tree)
{
    char *text = cJSON_PrintUnformatted(tree);

    if (!text)
        fatal("a JSON tree cannot be printed", 0); /* none, or an item of no type: our mistake, not the input's */
    return text;
}

cJSON *json_add_string(cJSON *object, const char *name, const char *value)
{
    return value ? cJSON_AddStringToObject(object, name, value) : NULL;
}

cJSON *json_add_int(cJSON *object, const char *name, int64_t value)
{
    char text[24];

    if (value > -EXACT_IN_PRINT && value < EXACT_IN_PRINT)
        return cJSON_AddNumberToObject(object, name, (double)value);
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    return cJSON_AddRawToObject(object, name, text);
}

cJSON *json_add_object(cJSON *object, const char *name)
{
    return cJSON_AddObjectToObject(object, name);
}

cJSON *json_add_array(cJSON *object, const char *name)
{
    return cJSON_AddArrayToObject(object, name);
}
