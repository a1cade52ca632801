// Two browser users of the chat page, recorded as HAR by Chromium:   node browser.mjs PAGE_URL CHAT_URL OUTPUT
// The second one meets a completion that overtakes its start, and still has a run open when the recording ends.
import { chromium } from 'playwright-core';

const [pageUrl, chatUrl, output] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });

async function user(context, messages, wait) {
  const page = await context.newPage();
  await page.goto(pageUrl);
  await page.evaluate(async ({ chatUrl, messages }) => {
    const socket = new WebSocket(chatUrl);
    await new Promise((resolve) => { socket.onopen = resolve; });
    for (const message of messages) {
      socket.send(JSON.stringify({ type: 'user_message', ...message }));
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 700);
        socket.onmessage = (event) => {
          if (JSON.parse(event.data).type === 'agent_completed') { clearTimeout(timer); resolve(); }
        };
      });
    }
  }, { chatUrl, messages });
  await page.waitForTimeout(wait);
}

const context = await browser.newContext({ recordHar: { path: output, content: 'embed' } });
await user(context, [{ text: 'opening hours' }, { text: 'returns' }], 100);
await user(context, [{ text: 'late parcel', fault: 'out-of-order' }, { text: 'refund', fault: 'stall' }], 100);
await context.close();
await browser.close();
