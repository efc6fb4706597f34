// What a family of types is: one constant object, in the file of the family. Its declaration is
// here, the types that are of it are a line in registry.cpp.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"

namespace pllua_bg::types {

struct Type;
struct DatumObject;

struct Family {
    // Pushes the Lua value of a datum that is not null. Errors: lua.
    void (*to_lua)(lua_State *L, const Type *type, Datum value);
    // Makes the datum of a Lua value that is not nil, in CurrentMemoryContext.
    // idx is absolute. Errors: lua.
    Datum (*from_lua)(lua_State *L, int idx, const Type *type);
    // Of plain types (types.h): the datum of the value at idx; false where from_lua has to make it.
    // Errors: none.
    bool (*take_plain)(lua_State *L, int idx, Datum *value) = nullptr;
    // What a nil is checked by. Null: nil is NULL, without a question. Errors: lua.
    void (*check_null)(lua_State *L, const Type *type) = nullptr;

    bool is_text = false;         // the Lua value is a string
    bool takes_tables = false;    // a table is one value, never a dimension of an array
    bool takes_modifiers = false; // from_lua and the elements' plan see to a length modifier
    bool tidy = false; // input and output functions leave no garbage that is worth a context

    // Fills in what the plan needs beyond its row of pg_type. Call inside pg::call. Errors: pg.
    void (*complete)(Type *type, Form_pg_type form) = nullptr;

    // Makes the value of a call of the type object (pgtype.x) with `count` arguments from `first`
    // on. False: this is for exactly one argument, which is converted as a parameter. Errors: lua.
    bool (*construct)(lua_State *L, const Type *type, int first, int count, Datum *value) = nullptr;

    // Of families whose Lua values are objects (datum_object.h).
    const char *object_name = nullptr; // for messages
    // Puts metamethods into the new metatable on top of the stack. Errors: lua.
    void (*add_metamethods)(lua_State *L) = nullptr;
    Size object_size = 0; // bytes of the object's head, where that is more than a DatumObject
    int user_values = 0;
    // Fills in the head of a new object. Errors: none.
    void (*init_object)(DatumObject *object) = nullptr;
    // The present value of the object at idx, where it can change. Errors: lua.
    Datum (*object_value)(lua_State *L, int idx, DatumObject *object) = nullptr;
};

// Kinds of types that have one family each, in the server's words.
enum class TypeKind : uint8 {
    kBase,
    kEnum,
    kComposite,
    kRange,
    kMultirange,
    kArray,
    kDomain,
    kModified
};

// Which types a family is for. registry.cpp has the table.
struct FamilyRule {
    Oid oid;       // this type; InvalidOid: every type of the kind
    TypeKind kind; // of types that no rule names
    const Family *family;
};

// scalar.cpp
extern const Family kVoidFamily, kBoolFamily, kInt2Family, kInt4Family, kInt8Family, kOidFamily,
    kFloat4Family, kFloat8Family;
// text.cpp
extern const Family kTextFamily, kByteaFamily, kNameFamily, kCstringFamily, kCharFamily, kXmlFamily;
void text_to_lua(lua_State *L, const Type *type, Datum value); // also of json and refcursors
Datum text_from_lua(lua_State *L, int idx, const Type *type);  // the same
extern const Family kRefcursorFamily;                          // refcursor.cpp
extern const Family kEnumFamily;                               // enum.cpp
void initialize_enums();                                       // watches pg_enum
extern const Family kNumericFamily;                            // numeric.cpp
extern const Family kDatetimeFamily;                           // datetime.cpp
extern const Family kJsonFamily, kJsonbFamily;                 // json.cpp
extern const Family kCompositeFamily;                          // composite.cpp
extern const Family kRangeFamily;                              // range.cpp
extern const Family kMultirangeFamily;                         // multirange.cpp
extern const Family kArrayFamily;                              // array.cpp
extern const Family kDomainFamily, kModifiedFamily;            // domain.cpp
extern const Family kGenericFamily; // cast.cpp: every type without a family of its own

} // namespace pllua_bg::types
