import { ApiClient } from '../http/api-client';
import type { DataFolder, FirstKeys } from './data-folder';

interface Made { id: string; keys: { key: string; environment: string; kind: string }[] }

/** The keys of the first organization, made through the operator's interface at the first start and kept in the data folder. */
export const firstKeys = async (folder: DataFolder, url: string, operatorToken: string, name: string): Promise<FirstKeys> => {
  const known = folder.firstKeys();
  if (known !== undefined) return known;
  const made = await new ApiClient(url, operatorToken).post<Made>('/api/v1/operator/organizations', { name });
  const keyOf = (kind: string): string => made.keys.find((key) => key.environment === 'test' && key.kind === kind)!.key;
  return folder.keepFirstKeys({ organizationId: made.id, secretKey: keyOf('secret'), publishableKey: keyOf('publishable') });
};
