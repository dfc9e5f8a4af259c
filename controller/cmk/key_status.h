/* customerManagedKeyStatus: a free text of Azure about its access to the key, made useful. Pure.
 *
 * One text is healthy; every other means that access is lost, with a code in parentheses when Azure gives one. The list
 * of codes is open-ended (azure-facts 4.5), so an unknown one is passed on with Azure's own words. */
#pragma once

#include "cmk/types.h"

/* True for the healthy text, False for any other, Unknown when the account has no key or Azure says nothing. */
enum cmk_truth cmk_key_access(const struct cmk_account *account);

/* The code within text ("4002"), or "" when there is none. */
#define CMK_KEY_CODE_SIZE 5
void cmk_key_code(const char *text, char ret[static CMK_KEY_CODE_SIZE]);

/* A sentence with Azure's code, why, and what to do; for a status that means lost access. */
void cmk_say_key_lost(const struct cmk_account *account, char *ret, size_t size);
