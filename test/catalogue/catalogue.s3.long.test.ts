import { openStore } from '../../src/store/open-store.ts';
import { s3Bucket } from '../support/s3-servers.ts';
import { catalogueContract } from './contract.ts';

catalogueContract('a bucket', async () => {
  const { url, credentials } = await s3Bucket();
  const store = openStore(url, { s3: { credentials } });
  return {
    store,
    end: async () => {
      store.close();
    },
  };
});
