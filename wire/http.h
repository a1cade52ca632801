/* wire/http.h - HTTP/1.1 message heads (RFC 9112) and the WebSocket handshake (RFC 6455, section 4).
 */
