// Which types are of which family: the one table of this floor.
// family.h says what a family is. Owns nothing.
#include "types/family.h"
#include "types/plan.h"

namespace pllua_bg::types {

namespace {

constexpr TypeKind kNamed = TypeKind::kBase; // of types that a rule names
constexpr FamilyRule kRules[] = {
    {VOIDOID, kNamed, &kVoidFamily},
    {BOOLOID, kNamed, &kBoolFamily},
    {INT2OID, kNamed, &kInt2Family},
    {INT4OID, kNamed, &kInt4Family},
    {INT8OID, kNamed, &kInt8Family},
    {OIDOID, kNamed, &kOidFamily},
    {FLOAT4OID, kNamed, &kFloat4Family},
    {FLOAT8OID, kNamed, &kFloat8Family},
    {TEXTOID, kNamed, &kTextFamily},
    {VARCHAROID, kNamed, &kTextFamily},
    {BPCHAROID, kNamed, &kTextFamily},
    {REFCURSOROID, kNamed, &kRefcursorFamily},
    {BYTEAOID, kNamed, &kByteaFamily},
    {XMLOID, kNamed, &kXmlFamily},
    {JSONOID, kNamed, &kJsonFamily},
    {JSONBOID, kNamed, &kJsonbFamily},
    {NAMEOID, kNamed, &kNameFamily},
    {CSTRINGOID, kNamed, &kCstringFamily},
    {UNKNOWNOID, kNamed, &kCstringFamily},
    {CHAROID, kNamed, &kCharFamily},
    {NUMERICOID, kNamed, &kNumericFamily},
    {DATEOID, kNamed, &kDatetimeFamily},
    {TIMEOID, kNamed, &kDatetimeFamily},
    {TIMETZOID, kNamed, &kDatetimeFamily},
    {TIMESTAMPOID, kNamed, &kDatetimeFamily},
    {TIMESTAMPTZOID, kNamed, &kDatetimeFamily},
    {INTERVALOID, kNamed, &kDatetimeFamily},
    {RECORDOID, kNamed, &kCompositeFamily},
    {InvalidOid, TypeKind::kEnum, &kEnumFamily},
    {InvalidOid, TypeKind::kComposite, &kCompositeFamily},
    {InvalidOid, TypeKind::kRange, &kRangeFamily},
    {InvalidOid, TypeKind::kMultirange, &kMultirangeFamily},
    {InvalidOid, TypeKind::kArray, &kArrayFamily},
    {InvalidOid, TypeKind::kDomain, &kDomainFamily},
    {InvalidOid, TypeKind::kModified, &kModifiedFamily},
    {InvalidOid, TypeKind::kBase, &kGenericFamily},
};

} // namespace

void initialize() {
    use_families(kRules, lengthof(kRules));
    initialize_enums();
}

} // namespace pllua_bg::types
