// SPDX-License-Identifier: MIT
import { createFileRoute } from '@tanstack/react-router';

export const Route = createFileRoute('/throws')({
  loader: () => {
    throw new Error('<thrown>');
  },
});
