/** The key of services that keep their customers in two regions. */
import { oneOf } from '../../core/keys.ts';

export const accountRegion = oneOf('Service region of the account.', ['us', 'eu'], 'us', { otherwise: 'us' });
