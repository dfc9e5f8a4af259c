/* The members of status that are plain values, listed once for both directions. */
#pragma once

#include <stddef.h>

enum member_type { MEMBER_STRING, MEMBER_TIME, MEMBER_INT };

struct member {
    const char *name;
    enum member_type type;
    size_t offset;
};

#define CODEC_ACCOUNT_MEMBERS 11
#define CODEC_OPERATION_MEMBERS 11
extern const struct member codec_account_members[CODEC_ACCOUNT_MEMBERS];
extern const struct member codec_operation_members[CODEC_OPERATION_MEMBERS];
