-- What wrk asks of the gateway: paths, referrers and programs as a shop sees them. The first argument is the seed.
local agents = {
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
	"shop-app/4.12.1 (Android 14)", "monitor/2.0", "curl/7.88.1",
}
local pages = { "/", "/cart", "/checkout", "/search?q=lamp", "/search?q=desk+chair", "/orders", "/account" }
local hex = "0123456789abcdef"

function init(args)
	math.randomseed(tonumber(args[1]) or 1)
end

local function rare(limit) -- small numbers are frequent
	return math.floor(limit ^ math.random())
end

local function token()
	local out = {}
	for at = 1, 24 do
		local digit = math.random(16)
		out[at] = hex:sub(digit, digit)
	end
	return table.concat(out)
end

local asks = {
	function() return "GET", "/static/" .. math.random(0, 44) .. ".css" end,
	function() return "GET", "/api/products/" .. rare(50000) end,
	function() return "GET", "/api/products?page=" .. rare(40) .. "&sort=price" end,
	function() return "POST", "/api/cart/" .. token() .. "/items" end,
	function() return "GET", "/api/orders/" .. math.random(100000, 999999) end,
	function() return "POST", "/api/checkout?session=" .. token() end,
}

function request()
	local method, path = asks[rare(#asks + 0.99)]()
	return wrk.format(method, path, {
		["User-Agent"] = agents[rare(#agents + 0.99)],
		["Referer"] = "https://shop.test" .. pages[rare(#pages + 0.99)],
	})
end
