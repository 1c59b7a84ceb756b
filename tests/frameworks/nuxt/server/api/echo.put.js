// SPDX-License-Identifier: MIT
export default defineEventHandler(async (event) => {
  setResponseStatus(event, 202);
  setResponseHeader(event, 'x-put', 'yes');
  return (await readRawBody(event)).toUpperCase();
});
