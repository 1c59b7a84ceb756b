// SPDX-License-Identifier: MIT
export default defineEventHandler(async (event) => {
  const form = await readBody(event);
  return form.name === 'away' ? sendRedirect(event, '/list?from=%22', 303) : (setResponseStatus(event, 422), form);
});
