/* Which worlds are explored. */
#pragma once

#include "model/model.h"

extern const struct model_config model_configs[];
extern const size_t n_model_configs;
