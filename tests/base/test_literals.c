/* Many literals in one pass. */
#include <criterion/criterion.h>

#include "base/base.h"

Test(literals, finds_each_where_it_ends)
{
	const struct iq_view texts[] = { IQ_LIT("he"), IQ_LIT("hers"), IQ_LIT("ship"), IQ_LIT("@") };
	const struct iq_view inner[] = { IQ_LIT("ear"), IQ_LIT("heart") };
	struct iq_literals *literals;
	struct iq_literals_place place = { 0 };
	struct iq_view text = IQ_LIT("uSHErs@hip");

	cr_assert_eq(iq_literals_new(texts, 4, &literals), 0);
	cr_expect_eq(iq_literals_next(literals, text, &place), 0);
	cr_expect_eq(place.pos, 4);
	cr_expect_eq(iq_literals_next(literals, text, &place), 1);
	cr_expect_eq(place.pos, 6);
	cr_expect_eq(iq_literals_next(literals, text, &place), 3);
	cr_expect_eq(iq_literals_next(literals, text, &place), IQ_LITERALS_NONE);
	cr_expect_eq(place.pos, text.len);
	iq_literals_free(literals);
	cr_expect_eq(iq_literals_new(inner, 2, &literals), IQ_ERR_USAGE);
}

/* RFC 4231, test cases 1 and 6. */
Test(hash, hmac_is_that_of_the_rfc)
{
	uint8_t key[131], digest[IQ_SHA256_SIZE];
	char hex[IQ_SHA256_HEX_SIZE];

	memset(key, 0x0b, 20);
	iq_hmac_sha256(key, 20, IQ_LIT("Hi There"), digest);
	iq_hex(digest, sizeof(digest), hex);
	cr_expect_str_eq(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	memset(key, 0xaa, sizeof(key));
	iq_hmac_sha256(key, sizeof(key), IQ_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), digest);
	iq_hex(digest, sizeof(digest), hex);
	cr_expect_str_eq(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
