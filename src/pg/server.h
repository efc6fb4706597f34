// The one door to the server's headers: C linkage, C++20 and warnings settled here.
// Owns nothing. Whoever includes this may not include a Lua header,
// except on floors that may see both.
#pragma once

#ifndef POSTGRES_H
extern "C" {
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/elog.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
}
// The server's printf family would otherwise take the place of names the C++ library needs.
#undef snprintf
#undef vsnprintf
#endif
