#include "event/redact_form.h"

#include "event/redact_text.h"

/* Characters of the header and of a later part of a token; shorter ones are something else. */
#define JWT_MIN_HEADER 10
#define JWT_MAX_PARTS 5
#define PEM_MAX_LABEL 64
/* RFC 5321, section 4.5.3.1; the local part may be written in escapes. */
#define EMAIL_MAX_LOCAL 256
#define EMAIL_MAX_DOMAIN 255

static unsigned char at(struct iq_view text, size_t pos)
{
	return pos < text.len ? (unsigned char)text.data[pos] : 0;
}

static size_t run(struct iq_view text, size_t pos, const char *more)
{
	size_t end = pos;

	while (end < text.len &&
	       (iq_is_word((unsigned char)text.data[end]) || (text.data[end] && *more && strchr(more, text.data[end]))))
		end++;
	return end - pos;
}

static bool begins_word(struct iq_view text, size_t pos)
{
	struct iq_view name;

	if (pos == 0 || !iq_is_word((unsigned char)text.data[pos - 1]))
		return true;
	/* The letter of an escape is no part of the word behind it. */
	name = iq_name_around(text, pos, pos);
	return name.data == text.data + pos;
}

/* ---- JSON Web Tokens ---- */

size_t iq_jwt_length(struct iq_view text, size_t pos)
{
	size_t end = pos, parts = 1, len;

	if (!iq_view_starts_with(iq_view_from(text, pos), IQ_LIT("eyJ")) || !begins_word(text, pos))
		return 0;
	end += run(text, pos, "");
	if (end - pos < JWT_MIN_HEADER)
		return 0;
	while (parts < JWT_MAX_PARTS && at(text, end) == '.') {
		len = run(text, end + 1, "");
		/* Without a signature there is nothing behind the last point, with a direct key nothing between two. */
		if (len == 0 && (parts == 1 ? at(text, end + 1) != '.' : parts > 2))
			break;
		end += 1 + len;
		parts++;
	}
	return parts > 1 || end == text.len ? end - pos : 0;
}

/* ---- Vendors ---- */

/* From the vendors' documentation of their key formats. */
static const struct {
	struct iq_view prefix;
	size_t least;	  /* characters behind the prefix */
	const char *more; /* that may occur beside letters, digits, _ and - */
} vendors[] = {
	{ { "AKIA", 4 }, 16, "" },
	{ { "ASIA", 4 }, 16, "" },
	{ { "ghp_", 4 }, 20, "" },
	{ { "gho_", 4 }, 20, "" },
	{ { "ghu_", 4 }, 20, "" },
	{ { "ghs_", 4 }, 20, "" },
	{ { "ghr_", 4 }, 20, "" },
	{ { "github_pat_", 11 }, 20, "" },
	{ { "glpat-", 6 }, 16, "." },
	{ { "sk-proj-", 8 }, 20, "" },
	{ { "sk-ant-", 7 }, 20, "" },
	{ { "sk-", 3 }, 20, "" },
	{ { "sk_live_", 8 }, 10, "" },
	{ { "sk_test_", 8 }, 10, "" },
	{ { "rk_live_", 8 }, 10, "" },
	{ { "rk_test_", 8 }, 10, "" },
	{ { "whsec_", 6 }, 16, "+/=" },
	{ { "xoxb-", 5 }, 10, "" },
	{ { "xoxp-", 5 }, 10, "" },
	{ { "xoxa-", 5 }, 10, "" },
	{ { "xoxr-", 5 }, 10, "" },
	{ { "xoxs-", 5 }, 10, "" },
	{ { "xoxe.", 5 }, 10, "." },
	{ { "xapp-", 5 }, 10, "" },
	{ { "AIza", 4 }, 30, "" },
	{ { "ya29.", 5 }, 20, "." },
	{ { "GOCSPX-", 7 }, 20, "" },
	{ { "npm_", 4 }, 30, "" },
	{ { "SG.", 3 }, 30, "." },
	{ { "hf_", 3 }, 30, "" },
	{ { "dop_v1_", 7 }, 30, "" },
	{ { "shpat_", 6 }, 20, "" },
	{ { "shpss_", 6 }, 20, "" },
	{ { "pypi-", 5 }, 50, "" },
	{ { "dckr_pat_", 9 }, 16, "" },
	{ { "hvs.", 4 }, 20, "" },
	{ { "glsa_", 5 }, 30, "" },
	{ { "NRAK-", 5 }, 20, "" },
	{ { "PMAK-", 5 }, 30, "" },
	{ { "gsk_", 4 }, 30, "" },
	{ { "xai-", 4 }, 30, "" },
	{ { "lin_api_", 8 }, 20, "" },
	{ { "AGE-SECRET-KEY-1", 16 }, 40, "" },
	{ { "sbp_", 4 }, 30, "" },
	{ { "key-", 4 }, 32, "" },
};

/* A prefix of four characters and more is told behind a hyphen or an underscore as well, as names of files have it (`backup-ghp_...`); shorter ones
 * occur in words. */
#define VENDOR_TELLING 4

static bool begins_key(struct iq_view text, size_t pos, size_t prefix)
{
	const unsigned char before = pos > 0 ? (unsigned char)text.data[pos - 1] : 0;

	return begins_word(text, pos) || (prefix >= VENDOR_TELLING && (before == '-' || before == '_'));
}

size_t iq_vendor_key_length(struct iq_view text, size_t pos)
{
	const struct iq_view rest = iq_view_from(text, pos);
	size_t len;

	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
		if (!iq_view_starts_with(rest, vendors[i].prefix) || !begins_key(text, pos, vendors[i].prefix.len))
			continue;
		len = run(rest, vendors[i].prefix.len, vendors[i].more);
		if (len >= vendors[i].least)
			return vendors[i].prefix.len + len;
	}
	return 0;
}

const struct iq_view *iq_vendor_anchors(void)
{
	static const struct iq_view anchors[] = {
		{ "akia", 4 },	   { "asia", 4 },     { "ghp_", 4 },	 { "gho_", 4 },	    { "ghu_", 4 },
		{ "ghs_", 4 },	   { "ghr_", 4 },     { "github_", 7 },	 { "glpat-", 6 },   { "sk-", 3 },
		{ "sk_live_", 8 }, { "sk_test_", 8 }, { "rk_live_", 8 }, { "rk_test_", 8 }, { "whsec_", 6 },
		{ "xox", 3 },	   { "xapp-", 5 },    { "aiza", 4 },	 { "ya29.", 5 },    { "gocspx-", 7 },
		{ "npm_", 4 },	   { "sg.", 3 },      { "hf_", 3 },	 { "dop_v1_", 7 },  { "shpat_", 6 },
		{ "shpss_", 6 },   { "pypi-", 5 },    { "dckr_", 5 },	 { "hvs.", 4 },	    { "glsa_", 5 },
		{ "nrak-", 5 },	   { "pmak-", 5 },    { "gsk_", 4 },	 { "xai-", 4 },	    { "lin_api_", 8 },
		{ "age-s", 5 },	   { "sbp_", 4 },     { "key-", 4 },	 { NULL, 0 },
	};

	return anchors;
}

/* ---- PEM ---- */

/* The end of `-----BEGIN ... PRIVATE KEY...-----`, or SIZE_MAX. */
static size_t pem_label_end(struct iq_view text, size_t pos)
{
	struct iq_view rest = iq_view_from(text, pos);
	struct iq_view label;
	size_t dashes;

	if (!iq_view_starts_with(rest, IQ_LIT("-----BEGIN")))
		return SIZE_MAX;
	label = iq_view_from(rest, 10);
	label.len = label.len < PEM_MAX_LABEL ? label.len : PEM_MAX_LABEL;
	dashes = iq_view_find(label, IQ_LIT("-----"));
	if (dashes == SIZE_MAX)
		return SIZE_MAX;
	label.len = dashes;
	/* A blank may be written %20 or + in a URL. */
	return iq_view_find(label, IQ_LIT("PRIVATE")) == SIZE_MAX ? SIZE_MAX : pos + 10 + dashes + 5;
}

int iq_pem_append_plain(struct iq_view pem, struct iq_buf *out)
{
	struct iq_buf decoded = IQ_BUF_INIT;
	int rc = iq_redact_decode(pem, true, 8, &decoded);

	for (size_t i = 0; i < decoded.len && rc == 0; i++) {
		const unsigned char c = (unsigned char)decoded.data[i];

		if (iq_is_word(c) || (c && strchr("+/=:,", c)))
			rc = iq_buf_append_char(out, (char)c);
	}
	iq_buf_release(&decoded);
	return rc;
}

/* Is anything but white space and the escapes of line ends there? */
static bool has_material(struct iq_view text, size_t pos, size_t end)
{
	for (size_t i = pos; i < end; i++) {
		if (text.data[i] == '\\' && i + 1 < end && strchr("nr", text.data[i + 1]) != NULL)
			i++;
		else if (iq_is_alpha((unsigned char)text.data[i]) || iq_is_digit((unsigned char)text.data[i]))
			return true;
	}
	return false;
}

/* Where the string ends in which the key stands, without the backslashes of its mark. */
static size_t pem_stop(struct iq_view text, size_t pos)
{
	while (pos < text.len && (!text.data[pos] || !strchr("\"'`<>{}", text.data[pos])))
		pos++;
	while (pos < text.len && text.data[pos - 1] == '\\')
		pos--;
	return pos;
}

size_t iq_pem_length(struct iq_view text, size_t pos, bool *ret_open)
{
	const size_t begin = pem_label_end(text, pos);
	struct iq_view rest;
	size_t end, dashes;

	*ret_open = false;
	if (begin == SIZE_MAX)
		return 0;
	text.len = pem_stop(text, begin);
	rest = iq_view_from(text, begin);
	end = iq_view_find(rest, IQ_LIT("-----END"));
	*ret_open = end == SIZE_MAX;
	if (*ret_open)
		return has_material(text, begin, text.len) ? text.len - pos : 0;
	dashes = iq_view_find(iq_view_from(rest, end + 8), IQ_LIT("-----"));
	end = dashes > PEM_MAX_LABEL ? rest.len : end + 8 + dashes + 5;
	return begin + end - pos;
}

/* ---- E-mail addresses ---- */

static bool is_local(unsigned c)
{
	return c >= 0x80 || (c && (iq_is_word((unsigned char)c) || strchr(".+!#$&'*/=?^`{|}~", (int)c) != NULL));
}

/* Of what may stand in a local part, what mostly surrounds one: `to=a@b.c`, `'a@b.c'`, `/a@b.c`. */
static bool is_usual_local(unsigned c)
{
	return c >= 0x80 || (c && (iq_is_word((unsigned char)c) || strchr(".+!#$^~", (int)c) != NULL));
}

/* The end of a tag, which is no part of an address. */
static bool is_tag_end(struct iq_view text, size_t pos)
{
	return pos >= 3 && memcmp(text.data + pos - 3, "\xe2\x80\xba", 3) == 0;
}

/* One character back from `pos`, as it is written; 0: none that belongs to it. */
static size_t local_before(struct iq_view text, size_t floor, size_t pos)
{
	size_t len;
	unsigned c;

	if (pos >= floor + 6) {
		c = iq_unicode_escape_at(text, pos - 6, &len);
		if (c)
			return is_usual_local(c) ? 6 : 0;
	}
	if (pos >= floor + 3 && iq_is_percent_escape(text, pos - 3)) {
		uint8_t byte = 0;

		(void)iq_unhex(iq_view_make(text.data + pos - 2, 2), &byte, 1);
		return byte == '+' || byte >= 0x80 ? 3 : 0;
	}
	return pos > floor && is_usual_local((unsigned char)text.data[pos - 1]) && !is_tag_end(text, pos) ? 1 : 0;
}

static size_t local_begin(struct iq_view text, size_t floor, size_t pos)
{
	size_t begin = pos, len;

	while (begin > floor && pos - begin < EMAIL_MAX_LOCAL && (len = local_before(text, floor, begin)) > 0)
		begin -= len;
	/* The letter of `\n` before it. */
	if (begin < pos && begin > floor && text.data[begin - 1] == '\\' && strchr("bfnrt", text.data[begin]) != NULL)
		begin++;
	while (begin < pos && ((unsigned char)text.data[begin] & 0xc0) == 0x80)
		begin++;
	return begin;
}

/* Labels between points, the last one of letters. */
static size_t domain_length(struct iq_view text, size_t pos)
{
	size_t end = pos, labels = 0, good = 0;

	while (end - pos < EMAIL_MAX_DOMAIN) {
		const size_t label = end;
		bool letters = true;

		for (; end < text.len && end - pos < EMAIL_MAX_DOMAIN; end++) {
			const unsigned char c = (unsigned char)text.data[end];

			if ((!iq_is_word(c) || c == '_') && c < 0x80)
				break;
			letters &= !iq_is_digit(c);
		}
		if (end == label)
			break;
		if (++labels > 1 && letters && end - label >= 2)
			good = end - pos;
		if (end >= text.len || text.data[end] != '.')
			break;
		end++;
	}
	return good;
}

size_t iq_email_begin(struct iq_view text, size_t floor, size_t at_begin, size_t at_end, size_t *ret_end)
{
	const size_t domain = domain_length(text, at_end);
	const size_t begin = domain ? local_begin(text, floor, at_begin) : at_begin;

	*ret_end = at_end + domain;
	return begin < at_begin ? begin : SIZE_MAX;
}

/* ---- All of it ---- */

static bool is_email(struct iq_view text)
{
	const char *sign = text.len ? memchr(text.data, '@', text.len) : NULL;

	if (!sign || sign == text.data)
		return false;
	for (const char *c = text.data; c < sign; c++)
		if (!is_local((unsigned char)*c))
			return false;
	return domain_length(text, (size_t)(sign - text.data) + 1) == text.len - (size_t)(sign - text.data) - 1;
}

const char *iq_secret_form(struct iq_view secret)
{
	if (secret.len > 0 && iq_jwt_length(secret, 0) == secret.len)
		return "jwt";
	if (secret.len > 0 && iq_vendor_key_length(secret, 0) == secret.len)
		return "vendor";
	if (pem_label_end(secret, 0) != SIZE_MAX)
		return "pem";
	return is_email(secret) ? "email" : NULL;
}
