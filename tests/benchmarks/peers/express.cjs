// The same listener with Express and better-sqlite3: one durable commit a request.
// It is copied to where they are installed, and run there: node express.cjs PORT

const express = require("express");
const Database = require("better-sqlite3");

const database = new Database(process.env.DATABASE, { timeout: 30000 });
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");
database.exec(
  "CREATE TABLE IF NOT EXISTS callback (id INTEGER PRIMARY KEY, checkout_id TEXT UNIQUE, path TEXT, source TEXT, body BLOB)",
);
const insert = database.prepare(
  "INSERT OR IGNORE INTO callback (checkout_id, path, source, body) VALUES (?, ?, ?, ?)",
);

const app = express();
app.use(express.raw({ type: "*/*" }));
app.post("/api/payments/callback/:token", (request, response) => {
  const checkoutId = JSON.parse(request.body).Body.stkCallback.CheckoutRequestID;
  insert.run(checkoutId, request.params.token, request.ip, request.body);
  response.json({ ResultCode: 0, ResultDesc: "Accepted" });
});
app.listen(Number(process.argv[2]), "127.0.0.1");
